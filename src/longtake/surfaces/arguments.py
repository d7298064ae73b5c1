"""What people type on the command line -> values of the core; what is wrong is said with what is allowed."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any, cast

from ..clock import parse_seconds
from ..errors import ConfigError, SpanError
from ..types import TimeSpan

__all__ = ["local_path", "new_run_folder", "read_arguments", "read_span", "split_choices"]


def read_arguments(config: Path | None, given: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Settings from the file, then ``--set KEY=VALUE`` (dots go into tables), then the options of their own."""
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text(encoding="utf-8"))
        except OSError as e:
            raise ConfigError(f"cannot read --config {config}: {e.strerror}") from e
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise ConfigError(f"--config {config} is not TOML: {e}") from e
    for assignment in assignments:
        key, sign, value = assignment.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"--set takes KEY=VALUE, got {assignment!r}")
        *tables, last = key.strip().split(".")
        table = values
        for name in tables:
            inner: Any = table.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {assignment!r}: {name} is not a table")
            table = cast("dict[str, Any]", inner)
        table[last] = _toml_value(value)
    return {**values, **given}


def _toml_value(text: str) -> Any:
    """A TOML value; what is none is a plain string, so quotes are not needed."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def split_choices(text: str | None) -> tuple[str, ...]:
    """The options between bars."""
    if text is None:
        return ()
    options = tuple(option.strip() for option in text.split("|"))
    if len(options) < 2 or not all(options):
        raise ConfigError(f'--choices takes two or more options between bars, "a cat|a dog", got {text!r}')
    return options


def read_span(text: str) -> TimeSpan:
    """``START-END``, each in seconds or h:mm:ss."""
    parts = text.split("-") if text.count("-") == 1 else text.split(" - ")
    if len(parts) != 2:
        raise SpanError(f"a span is START-END, like 12.5-20 or 1:02:03-1:02:30, got {text!r}")
    return TimeSpan(parse_seconds(parts[0]), parse_seconds(parts[1]))


def local_path(video: str) -> str:
    """The video's path; what is on the web is fetched first."""
    from ..video.download import download, is_url

    return str(download(video)) if is_url(video) else video


def new_run_folder(video: str) -> Path:
    """A folder of its own for every run, in the order of time."""
    stem = Path(video.rstrip("/")).stem[:60] or "video"
    return Path("longtake-runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{stem}-{time.time_ns() % 0xFFFF:04x}"
