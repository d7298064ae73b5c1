"""What was recognised at which second of a video, appended as it comes, so that an interrupted pass goes on.

One JSON line a record: ``[seconds, value]``. Owns the file and its damage; knows nothing of what the values mean.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import orjson

from ..errors import StoreError
from ..types import JSON

__all__ = ["Journal"]

log = logging.getLogger(__name__)


class Journal:
    """Values by second in the file ``path``; the last record of a second counts.

    A record starts and ends with a line end and is written in one go: one cut short by a crash spoils only itself,
    and several processes may append to the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[float, JSON]:
        """All whole records; damaged lines are skipped, so what they held is recognised again."""
        found: dict[float, JSON] = {}
        if not self.path.exists():
            return found
        for line in self.path.read_bytes().splitlines():
            if not line:
                continue
            try:
                record = cast("JSON", orjson.loads(line))
            except orjson.JSONDecodeError:
                record = None
            match record:
                case [int() | float() as seconds, value]:
                    found[float(seconds)] = value
                case _:
                    log.debug("%s: a damaged line is skipped", self.path)
        return found

    def add(self, seconds: float, value: JSON) -> None:
        """Appends one record. Raises `StoreError` if the file cannot be written."""
        try:
            with self.path.open("ab", buffering=0) as file:
                file.write(b"\n" + orjson.dumps([seconds, value]) + b"\n")
        except OSError as e:
            raise StoreError(f"cannot write {self.path}: {e}; set LONGTAKE_CACHE to a folder you can write") from e
