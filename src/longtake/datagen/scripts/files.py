"""The files of LongVideo-Reason's own scripts, read and written: clips, captions, merged captions, questions. Pure
but for reading.

Times are seconds of the video: what a clip's name ends in, or what the index ``clips.jsonl`` says. Names may hold
dots and underscores, and are ordered by time, never as text.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import orjson

from ...clock import split_span
from ...errors import ConfigError, SpanError
from ...media import TimeSpan
from ...types import JSON
from ..sources import SUFFIXES
from ..values import Caption

__all__ = [
    "INDEX",
    "IndexedClip",
    "VideoCaptions",
    "captions_text",
    "clip_name",
    "file_stem",
    "pretty",
    "read_captions_text",
    "read_clip_captions",
    "read_index",
    "read_json",
    "read_merged",
    "seconds",
    "split_clip_name",
    "unique_stems",
    "video_file",
    "write_index",
    "write_merged",
]

INDEX = "clips.jsonl"
"""Beside the clips or captions of a folder: a line a clip, with its video and exact span."""
_DEFAULT_SECONDS = 10.0
_CLIP = re.compile(r"(.+)_(\d+(?:\.\d+)?)")
_LINE = re.compile(r"^From (?=[\d.])")


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """A line of the index. ``video`` is a path from the index's folder on, ``id`` the video's name; ``file`` is the
    clip's file beside the index if one was written."""

    clip: str
    id: str
    video: str
    span: TimeSpan
    file: str | None = None


@dataclass(frozen=True, slots=True)
class VideoCaptions:
    """What the files say of a video in order of time, whatever it is; "" for nothing. ``video`` is the video's path,
    as far as it is known."""

    id: str
    video: str
    captions: tuple[Caption, ...]


def video_file(id: str, known: str = "") -> str:
    """The path of the video ``id``: with the suffix it has itself, or of a ``known`` path to it, or ``.mp4``."""
    suffix = Path(known).suffix or ".mp4"
    return id if Path(id).suffix.lower() in SUFFIXES else id + suffix


def clip_name(video: str, start: float) -> str:
    """``film_0010`` for the clip of ``film`` at 10 s; milliseconds where it does not start at a whole second."""
    return f"{video}_{round(start):04d}" if abs(start - round(start)) < 5e-4 else f"{video}_{start:08.3f}"


def split_clip_name(name: str) -> tuple[str, float] | None:
    """The video and the start in seconds of a clip's name; None if it is not one."""
    match = _CLIP.fullmatch(name)
    return (match[1], float(match[2])) if match else None


def file_stem(id: str) -> str:
    """A file's name for a video's id: folders in it become ``%2F``."""
    return id.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")


def unique_stems(videos: Sequence[str]) -> list[str]:
    """A file stem for each question: the name of its video, with ``_q2``, ``_q3`` ... from the second one on."""
    stems = list[str]()
    counts = defaultdict[str, int](int)
    taken = {file_stem(video) for video in videos}
    for video in videos:
        counts[video] += 1
        stem = file_stem(video)
        while counts[video] > 1 and (stem := f"{file_stem(video)}_q{counts[video]}") in taken:
            counts[video] += 1
        taken.add(stem)
        stems.append(stem)
    return stems


def pretty(value: JSON) -> bytes:
    """JSON as the scripts write it: indented by four, letters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=4).encode()


def seconds(time: float) -> float:
    """A time to the millisecond as it is written: whole seconds without a fraction, all others exactly."""
    time = round(time, 3)
    return int(time) if time == int(time) else time


def read_json(path: Path) -> Any:
    """Raises `ConfigError` for a file that is absent or not JSON: a script that is killed leaves half a file."""
    try:
        return orjson.loads(path.read_bytes())
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}") from e
    except orjson.JSONDecodeError as e:
        raise ConfigError(f"{path} is not JSON ({e}); remove it or write it again") from e


# ---------------------------------------------------------------------------------------------- clips and captions


def write_index(clips: Iterable[IndexedClip]) -> bytes:
    lines = (
        {
            "clip": clip.clip,
            "id": clip.id,
            "video": clip.video,
            "start_time": clip.span.start,
            "end_time": clip.span.end,
            "file": clip.file,
        }
        for clip in clips
    )
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def read_index(path: Path) -> list[IndexedClip]:
    """Raises `ConfigError` naming the line that is wrong."""
    clips = list[IndexedClip]()
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                row = cast("dict[str, Any]", orjson.loads(line))
                span = TimeSpan(float(row["start_time"]), float(row["end_time"]))
                clips.append(IndexedClip(str(row["clip"]), str(row["id"]), str(row["video"]), span, row.get("file")))
            except (ValueError, KeyError, TypeError, SpanError) as e:
                raise ConfigError(f"{path} line {number} is not a clip ({e!r}); split the videos again") from e
    return clips


def read_clip_captions(folder: Path) -> tuple[list[VideoCaptions], dict[str, str]]:
    """The captions in the ``{clip}.json`` files of ``folder`` by video, and what is wrong with other files by name.

    Where there is no index, a clip lasts until the next one of its video starts; the last one, or one before a gap,
    as long as most others. Where there is one, other clips of its videos are none. What captions say is not judged.
    Raises `ConfigError` where no file holds a caption."""
    index = folder / INDEX
    spans = {clip.clip: clip for clip in read_index(index)} if index.exists() else {}
    files = {clip.id: video_file(clip.id, clip.video) for clip in spans.values()}
    indexed = {file_stem(id) for id in files}
    exact = defaultdict[str, list[Caption]](list)
    named, starts = defaultdict[str, dict[float, str]](dict), defaultdict[str, set[float]](set)
    problems = dict[str, str]()
    for path in sorted(folder.glob("*.json")):
        try:
            found = _captions_of(path)
        except ConfigError as e:
            problems[path.name] = str(e).replace(str(path), path.name)
            if parts := split_clip_name(path.stem):
                starts[parts[0]].add(parts[1])
            continue
        for name, text in found:
            parts = split_clip_name(name)
            if name in spans:
                known = spans[name]
                exact[known.id].append(Caption(known.span.start, known.span.end, text))
            elif parts is None:
                problems[path.name] = (
                    f"{path.name}: {name!r} does not end in _SECONDS, so nobody knows when its clip is"
                )
            elif parts[0] in indexed:
                problems[path.name] = f"{path.name}: {INDEX} has no clip {name!r}; the video was split anew"
            else:
                named[parts[0]][parts[1]] = text
    for video, texts in named.items():
        ends = _ends(sorted(starts[video].union(texts)))
        exact[video] += [Caption(start, end, texts[start]) for start, end in ends if start in texts]
    if problems and not exact:
        raise ConfigError(f"no file of {folder} holds a caption: {'; '.join([*problems.values()][:3])}")
    ordered = {video: sorted(found, key=lambda one: one.start_time) for video, found in exact.items()}
    return [VideoCaptions(id, files.get(id, video_file(id)), tuple(ordered[id])) for id in sorted(ordered)], problems


def _captions_of(path: Path) -> list[tuple[str, str]]:
    """(clip, caption) pairs. Raises `ConfigError`."""
    value = read_json(path)
    pairs = list(cast("dict[str, object]", value).items()) if isinstance(value, dict) else []
    if not pairs or not all(text is None or isinstance(text, str) for _, text in pairs):
        raise ConfigError(f"{path} is not a caption file; it has the form {{clip: caption}}")
    return [(name, _one_line(text)) for name, text in pairs]


def _one_line(text: object) -> str:
    return "" if text is None else " ".join(str(text).split())


def _ends(starts: Sequence[float]) -> list[tuple[float, float]]:
    """When each clip ends, with its start."""
    steps = sorted(round(b - a, 3) for a, b in pairwise(starts))
    usual = max(steps, key=steps.count) if steps else _DEFAULT_SECONDS
    following = [*starts[1:], float("inf")]
    return [(start, min(after, start + usual)) for start, after in zip(starts, following, strict=True)]


# ---------------------------------------------------------------------------------------------- merged captions


def write_merged(videos: Iterable[VideoCaptions]) -> bytes:
    return pretty(
        [
            {"id": one.id, "captions": [_plain(caption) for caption in one.captions], "video": one.video}
            for one in videos
        ]
    )


def read_merged(path: Path) -> list[VideoCaptions]:
    """Raises `ConfigError` for a file of another form, and for times ten times too large, as LongVideo-Reason's own
    script writes them. What captions say is not judged."""
    value = read_json(path)
    try:
        videos = [
            VideoCaptions(
                str(item["id"]),
                str(item.get("video") or video_file(str(item["id"]))),
                tuple(_caption(one) for one in cast("list[Any]", item["captions"])),
            )
            for item in cast("list[Any]", value)
        ]
    except (AttributeError, KeyError, TypeError, ValueError, SpanError) as e:
        raise ConfigError(
            f"{path} is not a list of videos with captions ({e!r}); each is"
            ' {"id": ..., "captions": [{"start_time": ..., "end_time": ..., "caption": ...}]}'
        ) from e
    if tenfold := [video.id for video in videos if _is_tenfold(video.captions)]:
        raise ConfigError(
            f"the times in {path} are ten times too large, as LongVideo-Reason's own step 3 writes them: 10 s each,"
            f" 100 s apart, in {len(tenfold)} videos ({', '.join(tenfold[:3])}); merge the captions of step 2 again:"
            " longtake data merge --input_dir CAPTIONS --output_file MERGED"
        )
    return videos


def _plain(one: Caption) -> JSON:
    return {"start_time": seconds(one.start_time), "end_time": seconds(one.end_time), "caption": one.caption}


def _caption(item: Mapping[str, Any]) -> Caption:
    span = TimeSpan(float(item["start_time"]), float(item["end_time"]))
    return Caption(span.start, span.end, _one_line(item["caption"]))


def _is_tenfold(captions: Sequence[Caption]) -> bool:
    """Clips of 10 s, and all of them where a hundred begins: some may be missing, but not nine of every ten."""
    return len(captions) > 1 and all(
        one.start_time % (10 * _DEFAULT_SECONDS) == 0 and one.end_time - one.start_time == _DEFAULT_SECONDS
        for one in captions
    )


def captions_text(captions: Iterable[Caption]) -> str:
    """``From 0 to 10, text`` a line, as step 4 keeps the captions a question was made from."""
    return "".join(f"From {seconds(one.start_time)} to {seconds(one.end_time)}, {one.caption}\n" for one in captions)


def read_captions_text(text: str) -> tuple[Caption, ...]:
    """What `captions_text` wrote; lines of another form are left out."""
    found = list[Caption]()
    for line in text.splitlines():
        if _LINE.match(line) and (parts := split_span(line)):
            found.append(Caption(parts[0].start, parts[0].end, parts[1].lstrip(" ,:").strip()))
    return tuple(found)
