"""Keeping a run on disk: ``trace.json`` after every turn, ``evidence.jpg`` beside it at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ..clock import span_label
from ..errors import StoreError, VideoError
from ..store import write_atomic
from ..types import Evidence, Frames, Trace, from_json, to_json
from ..video.decode import Video
from ..video.sample import uniform
from ..video.sheet import contact_sheet, jpeg
from .loop import Event

__all__ = ["Recorder", "load_trace"]

log = logging.getLogger(__name__)

FRAMES_PER_SPAN = 4
MAX_SPANS = 8


class Recorder:
    """Writes the run it is told of (an ``on_event`` of the loop) into ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.trace_path = folder / "trace.json"
        self.sheet_path = folder / "evidence.jpg"

    def __call__(self, event: Event) -> None:
        if event.kind == "opening":  # of an earlier run in the same folder
            try:
                self.sheet_path.unlink(missing_ok=True)
            except OSError as e:
                raise StoreError(f"cannot keep the run in {self.sheet_path.parent}: {e.strerror}; give a folder") from e
        if event.kind in ("opening", "turn", "finished"):
            write_atomic(self.trace_path, to_json(event.trace, indent=1))

    def write_sheet(self, trace: Trace, open_video: Callable[[str], Video]) -> Path | None:
        """A contact sheet of the evidence that can be shown; None when there is none. Raises `StoreError`.

        ``open_video`` is how the run opened its video."""
        if not trace.evidence:
            return None
        groups = list[tuple[str, Frames]]()
        for evidence in _distinct(trace.evidence)[:MAX_SPANS]:
            try:
                groups.append((_title(evidence), _frames(open_video(trace.video.uri), evidence)))
            except VideoError as e:  # the answer stands without its picture
                log.warning("evidence is left out of the contact sheet: %s", e)
        if not groups:
            return None
        write_atomic(self.sheet_path, jpeg(contact_sheet(groups, columns=FRAMES_PER_SPAN)))
        return self.sheet_path


def load_trace(path: Path) -> Trace:
    """Reads ``trace.json``. Raises `StoreError` when it cannot be read or is not one."""
    try:
        return from_json(Trace, path.read_bytes())
    except OSError as e:
        raise StoreError(f"cannot read the trace {path}: {e.strerror or e}") from e


def _distinct(evidence: Sequence[Evidence]) -> list[Evidence]:
    """One entry a span, in the order given."""
    return list({item.span: item for item in reversed(evidence)}.values())[::-1]


def _title(evidence: Evidence) -> str:
    return f"{span_label(evidence.span)} {evidence.source} {evidence.quote}"


def _frames(video: Video, evidence: Evidence) -> Frames:
    span = video.clamp(evidence.span)
    seconds = uniform(span, min(FRAMES_PER_SPAN, max(1, round(span.duration * 2))))
    return video.readable_frames(seconds, max_pixels=320 * 320)[0]
