"""What differs between the settings a folder was begun with and those given now, in words."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from .types import JSON

__all__ = ["differences"]


def differences(before: Mapping[str, JSON], after: Mapping[str, JSON], place: str = "") -> list[str]:
    """One phrase for each setting that is another; tables are looked into."""
    found = list[str]()
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{place}{name}.")
        elif old != new:
            found.append(f"{place}{name} was {_shown(old)}, is now {_shown(new)}")
    return found


def _shown(value: JSON) -> str:
    text = "not there" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
