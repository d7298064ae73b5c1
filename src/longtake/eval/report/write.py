"""The report on one run or several beside each other: a Markdown file and one HTML page, from what folders hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from ...page.assemble import assemble
from ...store import write_atomic
from ...types import JSON, Trace
from ..folders import open_folders
from ..regrade import Opened, metrics_of
from .content import Run, page_data
from .markdown import markdown

__all__ = ["write_pages", "write_report"]


def write_report(folders: Sequence[Path], out: Path) -> list[tuple[str, dict[str, JSON]]]:
    """Writes ``report.md`` and ``report.html`` on the evaluations in ``folders`` into ``out``; shards of one are put
    together. Returns the name and the metrics of each run. Raises `StoreError` and `ConfigError`."""
    opened = open_folders(folders)
    runs = [
        Run(name, metrics_of(one), one.graded, one.items, trace=_traces(one), link=_links(one, out))
        for name, one in opened
    ]
    write_pages(runs, out)
    return [(run.name, dict(run.metrics)) for run in runs]


def write_pages(runs: Sequence[Run], out: Path) -> None:
    """Writes ``report.md`` and ``report.html`` into the folder ``out``, which is made. Raises `StoreError`."""
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "report.md", markdown(runs).encode())
    write_atomic(out / "report.html", assemble("longtake.eval.report", page_data(runs)).encode())


def _traces(opened: Opened) -> Callable[[str, int], Trace | None]:
    def find(id: str, epoch: int) -> Trace | None:
        ended = opened.ended.get((id, epoch))
        return None if ended is None else ended.trace

    return find


def _links(opened: Opened, out: Path) -> Callable[[str, int], str | None]:
    """Into the evidence viewer, where the folder of the run has one."""
    viewer = opened.root / "view" / "index.html"
    page = quote(Path(os.path.relpath(viewer, out)).as_posix()) if viewer.exists() else ""

    def link(id: str, epoch: int) -> str | None:
        return f"{page}#{quote(id, safe='')}/{epoch}" if page else None

    return link
