"""Text in the pictures of a video, read by RapidOCR (extra ``[ocr]``, models in its wheel, no network).

Owns which pictures are read, the engine, and the journal that makes an interrupted pass go on where it stopped.
How readings become cues is in `sightings`. Runs when called, never in the background.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError, VideoDecodeError
from ..store import Journal, cache_dir
from ..types import JSON, Box, CueList, TimeSpan
from .decode import Video
from .scenes import detect
from .sightings import Line, Sighting, blocks_to_cues, moment_spans, skim_spans
from .workers import nothing

__all__ = ["Progress", "available", "moments", "read_moments", "read_picture", "skim"]

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (done, total) pictures."""

VERSION = 1
"""Of what is read from a picture; a change makes the journals of earlier versions unread."""
SKIM_PIXELS = 960 * 540
CLOSE_PIXELS = 1920 * 1080
MIN_SCORE = 0.8
"""Below this nearly everything is texture read as letters; captions and signs are read at 0.9 and above."""
_SURE_DIGIT = 0.97
SKIM_SECONDS = 10.0
SKIM_PICTURES = 60
"""A scene is read at least every 10 s; a short video more often, up to once a second, for 60 pictures in all."""
_CHUNK = 8
_REMEMBERED = 16
_SAME_BLOCK = 8.0
"""Largest change of the mean grey (0 to 255) of an 8x8 block that coding noise makes; a changed letter makes 20."""

_engine_lock = threading.Lock()
_engine: _Engine | None = None


class _Result(Protocol):
    boxes: npt.NDArray[np.float32] | None
    txts: tuple[str, ...] | None
    scores: tuple[float, ...] | None


class _Engine(Protocol):
    def __call__(self, img_content: npt.NDArray[np.uint8], /) -> _Result: ...


def available() -> bool:
    """Whether the ``[ocr]`` extra is installed; loads nothing."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def _load_engine() -> _Engine:
    """The engine of this process. Threads: the cores this process may use, at most 4; more gain nothing here."""
    try:
        rapidocr: Any = import_module("rapidocr")
        import_module("onnxruntime")
    except ImportError as e:
        raise MissingExtraError(
            f"reading text in pictures needs the ocr extra ({e}): pip install 'longtake[ocr]'"
        ) from e
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    params = {
        "Global.log_level": "critical",  # it warns on every picture without text
        "Global.use_cls": False,  # text upside down is not worth a third model
        "Global.text_score": MIN_SCORE,
        "Det.limit_type": "max",  # never enlarge: the size is chosen when the picture is decoded
        "Det.limit_side_len": 2000,
        "EngineConfig.onnxruntime.intra_op_num_threads": min(4, cores),
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return cast("_Engine", rapidocr.RapidOCR(params=params))


def read_picture(picture: npt.NDArray[np.uint8]) -> tuple[Line, ...]:
    """Lines of text in an RGB picture (H, W, 3). Raises `MissingExtraError` without the extra.

    A lone letter is noise far more often than a sign and is dropped; a lone digit may be a score and is kept if the
    engine is sure of it."""
    global _engine
    with _engine_lock:  # one picture at a time: the engine itself uses all cores
        if _engine is None:
            _engine = _load_engine()
        result = _engine(np.ascontiguousarray(picture[:, :, ::-1]))
    if result.txts is None or result.boxes is None or result.scores is None:
        return ()
    height, width = picture.shape[:2]
    lines: list[Line] = []
    for text, score, corners in zip(result.txts, result.scores, result.boxes, strict=True):
        shown = " ".join(text.split())
        marks = [c for c in shown if c.isalnum()]
        lone = len(marks) == 1
        if score < (_SURE_DIGIT if lone else MIN_SCORE) or not marks or (lone and not marks[0].isdigit()):
            continue
        left, top = np.clip(corners.min(axis=0) / (width, height), 0, 1)
        right, bottom = np.clip(corners.max(axis=0) / (width, height), 0, 1)
        if left < right and top < bottom:
            box = Box(*(round(float(side), 4) for side in (left, top, right, bottom)))
            lines.append(Line(shown, round(float(score), 3), box))
    return tuple(lines)


# -------------------------------------------------------------------------------------------- which pictures


def moments(scenes: Sequence[TimeSpan], keyframes: npt.NDArray[np.float64], duration_seconds: float) -> list[float]:
    """Seconds at which to read: the middles of equal parts of each scene, none longer than 10 s (see `SKIM_PICTURES`).

    A middle moves to a key frame of its own part, if there is one, since that picture is decoded alone."""
    longest = min(SKIM_SECONDS, max(1.0, duration_seconds / SKIM_PICTURES))
    found: set[float] = set()
    for scene in scenes:
        num_parts = math.ceil(scene.duration / longest - 1e-9)
        part = scene.duration / num_parts
        for number in range(num_parts):
            start, end = scene.start + number * part, scene.start + (number + 1) * part
            middle = (start + end) / 2
            inside = keyframes[(keyframes >= start) & (keyframes < end)]
            found.add(float(inside[np.abs(inside - middle).argmin()]) if len(inside) else middle)
    return sorted(round(moment, 6) for moment in found)


class _Pictures:
    """The last few pictures that were read, so that one that looks the same is not read again."""

    def __init__(self) -> None:
        self._known: deque[tuple[npt.NDArray[np.float32], tuple[Line, ...]]] = deque(maxlen=_REMEMBERED)

    def lines(self, picture: npt.NDArray[np.uint8]) -> tuple[Line, ...]:
        grey = picture.mean(axis=2, dtype=np.float32)
        rows, columns = max(1, grey.shape[0] // 8), max(1, grey.shape[1] // 8)
        cut = grey[: rows * 8, : columns * 8]
        blocks = cut.reshape(rows, cut.shape[0] // rows, columns, cut.shape[1] // columns).mean(axis=(1, 3))
        for known, lines in reversed(self._known):
            if known.shape == blocks.shape and np.abs(known - blocks).max() < _SAME_BLOCK:
                return lines
        lines = read_picture(picture)
        self._known.append((blocks, lines))
        return lines


# --------------------------------------------------------------------------------------------------- reading


def _to_json(lines: Sequence[Line]) -> JSON:
    return [[n.text, n.score, n.box.left, n.box.top, n.box.right, n.box.bottom] for n in lines]


def _from_json(value: Any) -> tuple[Line, ...]:
    return tuple(Line(text, score, Box(*sides)) for text, score, *sides in value)


def _pictures(
    video: Video, seconds: Sequence[float], max_pixels: int, min_pixels: int
) -> Iterator[tuple[float, npt.NDArray[np.uint8] | None]]:
    """(moment, picture), None in place of the picture where the file is damaged."""
    for at in range(0, len(seconds), _CHUNK):
        chunk = seconds[at : at + _CHUNK]
        try:
            frames, rows = video.readable_rows(chunk, max_pixels=max_pixels, min_pixels=min_pixels)
        except VideoDecodeError as e:
            log.warning("%s", e)
            yield from ((moment, None) for moment in chunk)
            continue
        found = dict(zip(rows.tolist(), frames.pixels, strict=True))
        yield from ((moment, found.get(row)) for row, moment in enumerate(chunk))


def _sightings(
    video: Video,
    seconds: Sequence[float],
    on_progress: Progress | None,
    check: Callable[[], None],
    *,
    max_pixels: int,
    min_pixels: int = 0,
) -> tuple[list[Sighting], tuple[str, ...]]:
    """What is read at ``seconds`` (ascending), and a sentence about those where the file is damaged."""
    folder = cache_dir("text", video.info.fingerprint)
    journal = Journal(folder / f"screen-v{VERSION}-{max_pixels}.jsonl")
    known = {moment: _from_json(value) for moment, value in journal.load().items()}
    missing = [moment for moment in seconds if moment not in known]
    done = len(seconds) - len(missing)
    pictures = _Pictures()
    if on_progress:
        on_progress(done, len(seconds))
    for moment, picture in _pictures(video, missing, max_pixels, min_pixels):
        check()
        if picture is not None:
            known[moment] = pictures.lines(picture)
            journal.add(moment, _to_json(known[moment]))
        done += 1
        if on_progress:
            on_progress(done, len(seconds))
    damaged = [moment for moment in seconds if moment not in known]
    said = (f"{video.damaged_stretches(damaged)}, so no text is read there",) if damaged else ()
    return [Sighting(moment, known[moment]) for moment in seconds if moment in known], said


def skim(video: Video, on_progress: Progress | None = None, check: Callable[[], None] = nothing) -> CueList:
    """On-screen text of the whole video, one pass over its scenes (see `moments` for which pictures).

    Text shown for less than the distance of two pictures of a scene may be missed; `read_moments` reads where it
    is asked. Spans: see `skim_spans`. Damaged parts are passed over with a warning. ``check`` is called between
    pictures and may raise; interrupted, the next call goes on where this one stopped. Raises `MissingExtraError`
    without the ``[ocr]`` extra."""
    _require()
    scenes = detect(video, check=check)
    seconds = moments(scenes, video.keyframe_seconds(), video.info.duration_seconds)
    sightings, warnings = _sightings(video, seconds, on_progress, check, max_pixels=SKIM_PIXELS)
    spans = skim_spans([sighting.seconds for sighting in sightings], scenes)
    return CueList(blocks_to_cues(sightings, spans, max_gap_seconds=2.5 * SKIM_SECONDS), warnings)


def read_moments(video: Video, seconds: Sequence[float], check: Callable[[], None] = nothing) -> CueList:
    """On-screen text of exactly the pictures shown at ``seconds``, at full useful resolution.

    A line seen at moments up to 10 s apart is one cue from the first to the last. Damaged pictures are passed over
    with a warning; ``check`` as for `skim`. Raises `SpanError` for a moment outside the video and
    `MissingExtraError` without the ``[ocr]`` extra."""
    _require()
    ordered = sorted({round(moment, 6) for moment in seconds})
    sightings, warnings = _sightings(video, ordered, None, check, max_pixels=CLOSE_PIXELS, min_pixels=CLOSE_PIXELS // 4)
    frame_seconds = 1 / video.info.average_fps if video.info.average_fps > 0 else 0.04
    spans = moment_spans([sighting.seconds for sighting in sightings], frame_seconds)
    return CueList(blocks_to_cues(sightings, spans, max_gap_seconds=SKIM_SECONDS), warnings)


def _require() -> None:
    if not available():
        raise MissingExtraError("reading text in pictures needs the ocr extra: pip install 'longtake[ocr]'")
