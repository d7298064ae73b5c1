"""Evaluations in folders, opened to be shown: the shards of one put together, two compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from ..types import JSON
from .regrade import Opened, headline, open_evaluation
from .report.columns import of_kind
from .report.compare import compare

__all__ = ["compare_folders", "open_folders"]


def open_folders(folders: Sequence[Path]) -> list[tuple[str, Opened]]:
    """Every evaluation by name, those that are shards of one put together. Raises `StoreError`, and `ConfigError` for
    the same shard given twice."""
    found = list[tuple[str, Opened]]()
    for folder in folders:
        opened = asyncio.run(open_evaluation(folder))
        for number, (name, other) in enumerate(found):
            if _is_shard(opened) and _is_shard(other) and opened.manifest.pinned == other.manifest.pinned:
                if shared := opened.items.keys() & other.items.keys():
                    raise ConfigError(f"{folder} and {name} both hold {min(shared)!r}; give each shard once")
                found[number] = (f"{name}+{folder.name}", _joined(other, opened))
                break
        else:
            found.append((folder.name or str(folder), opened))
    return _named_apart(found)


def compare_folders(first: Path, second: Path, column: str | None = None) -> dict[str, JSON]:
    """What `compare.compare` says of two evaluations, in ``column`` or the headline of the first. Raises `ConfigError`
    for evaluations of different data."""
    a, b = (asyncio.run(open_evaluation(folder)) for folder in (first, second))
    for what in ("benchmark", "data"):
        if a.manifest.pinned[what] != b.manifest.pinned[what]:
            raise ConfigError(
                f"{first} and {second} are not of the same {what}: {a.manifest.pinned[what]} and"
                f" {b.manifest.pinned[what]}; compare runs of one benchmark"
            )
    kind = a.spec.kind
    return compare(of_kind(a.graded, kind), of_kind(b.graded, kind), column or headline(a))


def _is_shard(opened: Opened) -> bool:
    return opened.settings.shard is not None


def _joined(first: Opened, second: Opened) -> Opened:
    return replace(
        first,
        items={**first.items, **second.items},
        graded=[*first.graded, *second.graded],
        ended={**first.ended, **second.ended},
        num_stored=first.num_stored + second.num_stored,
    )


def _named_apart(found: Sequence[tuple[str, Opened]]) -> list[tuple[str, Opened]]:
    """By the whole path where names would be the same."""
    names = [name for name, _ in found]
    same = {name for name in names if names.count(name) > 1}
    return [(str(opened.root) if name in same else name, opened) for name, opened in found]
