"""The videos that a report shows in full: pictures and captions of their clips, questions, reasoning, traces.

Bounded, so that the page opens at once: so many pictures a page, questions a video, letters a text.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...errors import VideoError
from ...page.turns import cut, turn_json
from ...types import JSON
from ...video.decode import Video
from ..export.items import Item, captions_of
from ..step import Record
from ..values import Caption, Source
from .measures import MEASURES, Measures

__all__ = ["sample_of"]

log = logging.getLogger(__name__)

_MAX_PICTURES = 320
"""In all; 160 pixels wide at 5 to 9 kB as text each, they stay below 4 MB."""
_MAX_CLIPS = 24
_MAX_QUESTIONS = 12
_PICTURE_PIXELS = 160 * 112
_SHOWN = 4000
_SHOWN_RESULT = 600


def sample_of(
    records: Sequence[Record], items: Sequence[Item], measures: Sequence[Measures], size: int, root: Path
) -> list[JSON]:
    """At most ``size`` videos spread evenly over all, by id."""
    by_video = dict[str, list[int]]()
    for number, item in enumerate(items):
        by_video.setdefault(item.source.id, []).append(number)
    names = sorted(by_video)
    chosen = names if len(names) <= size else [names[i * len(names) // size] for i in range(size)]
    clips = max(4, min(_MAX_CLIPS, _MAX_PICTURES // max(1, len(chosen))))
    return [_video(records, items, measures, by_video[name], clips, root) for name in chosen]


def _video(
    records: Sequence[Record],
    items: Sequence[Item],
    measures: Sequence[Measures],
    numbers: Sequence[int],
    num_clips: int,
    root: Path,
) -> JSON:
    first, source = records[numbers[0]], items[numbers[0]].source
    shown = numbers[:_MAX_QUESTIONS]
    captions = captions_of(first)
    clips = _chosen(captions or _even(source, num_clips), [items[i] for i in shown], num_clips)
    pictures, problem = _pictures(source, clips, root)
    strip: list[JSON] = [
        {"start": clip.start_time, "end": clip.end_time, "caption": cut(clip.caption, _SHOWN), "picture": picture}
        for clip, picture in zip(clips, pictures, strict=True)
    ]
    return {
        "id": source.id,
        "seconds": source.duration_seconds,
        "size": f"{source.width}x{source.height}",
        "warnings": list(source.warnings),
        "problem": problem,
        "num_clips": len(captions),
        "clips": strip,
        "num_questions": len(numbers),
        "questions": [_question(items[i], measures[i]) for i in shown],
    }


def _even(source: Source, number: int) -> tuple[Caption, ...]:
    """Pieces of a video that has no captions."""
    length = source.duration_seconds / number
    return tuple(Caption(i * length, (i + 1) * length, "") for i in range(number))


def _chosen(captions: Sequence[Caption], items: Sequence[Item], number: int) -> list[Caption]:
    """At most ``number`` captions: first those that answers rest on, then spread evenly; in order of time."""
    if len(captions) <= number:
        return list(captions)
    spans = [span for item in items for span in item.question.spans]
    used = [i for i, c in enumerate(captions) if any(s.start < c.end_time and c.start_time < s.end for s in spans)]
    even = [i * len(captions) // number for i in range(number)]
    picked = list(dict.fromkeys([*used[:: max(1, -(-len(used) * 2 // number))], *even]))[:number]
    return [captions[i] for i in sorted(picked)]


def _pictures(source: Source, clips: Sequence[Caption], root: Path) -> tuple[list[JSON], str | None]:
    """The middle of each clip as a data URL, None where it cannot be decoded; and what is wrong with the video."""
    shown: list[JSON] = [None] * len(clips)
    if not clips:
        return shown, None
    try:
        video = Video.open(root / source.video)
        end = video.info.duration_seconds
        middles = [min((clip.start_time + clip.end_time) / 2, end) for clip in clips]
        frames, rows = video.readable_rows(middles, max_pixels=_PICTURE_PIXELS)
    except VideoError as e:  # the report stands without its pictures
        log.warning("%s is shown without pictures: %s", source.video, e)
        return shown, f"its pictures cannot be shown ({type(e).__name__})"
    for row, pixels in zip(rows.tolist(), frames.pixels, strict=True):
        buffer = io.BytesIO()
        image = Image.fromarray(pixels)
        image.thumbnail((160, 160), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=72)
        shown[row] = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return shown, None


def _question(item: Item, measures: Measures) -> dict[str, JSON]:
    question = item.question
    numbers: dict[str, JSON] = {
        name: round(value, 3) for name in MEASURES if (value := getattr(measures, name)) is not None
    }
    turns: list[JSON] = [
        turn_json(turn, length=_SHOWN, result_length=_SHOWN_RESULT)
        for turn in (item.trace.turns if item.trace is not None else ())
    ]
    return {
        "id": item.id,
        "type": question.question_type,
        "question": cut(question.question, _SHOWN),
        "options": [cut(option, _SHOWN) for option in question.options],
        "right": item.right,
        "answer": cut(question.answer, _SHOWN),
        "reasoning": cut(question.reasoning, _SHOWN),
        "spans": [[span.start, span.end] for span in question.spans],
        "measures": numbers,
        "turns": turns,
        "scores": [{"scorer": s.scorer, "value": s.value, "explanation": s.explanation} for s in item.scores],
    }
