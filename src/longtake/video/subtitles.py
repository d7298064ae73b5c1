"""Subtitles of a video, from a file beside it or a track inside it -> cues on the video clock.

Owns finding, reading and repairing them. Decodes no picture; tracks that are pictures (PGS, DVD) are not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from ..errors import VideoDecodeError, VideoError, VideoNotFoundError
from ..types import Chapter, Cue, CueList, SubtitleTrack, TimeSpan
from .frame_folder import stem_of
from .subtitle_formats import Parsed, RawCue, SyntaxProblem, clean_text, decode_text, parse, parse_json

__all__ = ["find_sidecar", "is_text_track", "read_embedded", "read_sidecar"]

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
MAX_FILE_BYTES = 256 << 20
_MAX_GUESSED_SECONDS = 5.0
"""A cue without an end lasts until the next one, but no longer than a viewer needs to read it."""
_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(?:[-_.][A-Za-z0-9]+)*$")


def find_sidecar(video: Path, language: str | None = None) -> Path | None:
    """The subtitle file beside ``video``: ``stem.srt`` (then .vtt, .ass, .ssa), else ``stem.en.srt`` and the like.

    With several languages, ``language`` (as in the file name) is taken first, then the first by name."""
    if not video.parent.is_dir():
        return None
    stem = stem_of(video)
    names = [name for name in os.listdir(video.parent) if name.startswith(f"{stem}.")]
    found: list[tuple[tuple[bool, bool, str, int], Path]] = []
    for path in map(video.parent.joinpath, names):
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES or not path.is_file():
            continue
        tag = path.name[len(stem) + 1 : -len(suffix)].rstrip(".")
        if tag and not _LANGUAGE.match(tag):
            continue
        wanted = language is not None and tag.lower().split("-")[0].split("_")[0] == language.lower()
        found.append(((not wanted, bool(tag), tag.lower(), SUFFIXES.index(suffix)), path))
    return min(found)[1] if found else None


def read_sidecar(path: Path, *, stem: str, duration_seconds: float, chapters: Sequence[Chapter] = ()) -> CueList:
    """Cues of a subtitle file for the video file named ``stem``, ``duration_seconds`` long.

    Text without times (TVQA's JSON) spans the whole video, or the chapter it is of. Raises `VideoNotFoundError` if
    there is no such file and `VideoError`, naming the file and the line, if nothing in it can be read."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise VideoError(
                f"the subtitle file {path} has {size} bytes, more than {MAX_FILE_BYTES}: is it a text file?"
            )
        data = path.read_bytes()
    except FileNotFoundError as e:
        raise VideoNotFoundError(f"there is no subtitle file {path}") from e
    except OSError as e:
        raise VideoError(f"the subtitle file {path} cannot be read: {e}") from e
    text, guessed = decode_text(data)
    try:
        parsed = parse_json(text, stem, chapters) if path.suffix.lower() in (".json", ".jsonl") else parse(text)
    except SyntaxProblem as e:
        raise VideoError(
            f"the subtitle file {path} cannot be read, line {e.line}: {e}; give SRT, WebVTT, ASS or JSON"
        ) from e
    if parsed.unreadable and not parsed.cues:
        raise VideoError(
            f"the subtitle file {path} has no readable cue: the times of all {len(parsed.unreadable)} are broken,"
            f" the first on line {parsed.unreadable[0]}; SRT times look like 00:01:02,500 --> 00:01:04,000"
        )
    warnings = [f"{path.name} is not UTF-8 and was read as {guessed}"] if guessed else []
    return _repair(parsed, TimeSpan(0.0, duration_seconds), path.name, warnings)


def is_text_track(track: SubtitleTrack) -> bool:
    """Whether the track holds text; the others are pictures and are not read."""
    try:
        return av.Codec(track.codec).text_sub
    except ValueError:  # av's UnknownCodecError: nothing here can decode it
        return False


def read_embedded(
    path: Path, tracks: Sequence[SubtitleTrack], *, duration_seconds: float, language: str | None = None
) -> CueList:
    """Cues of a text track inside the video file; times count from the container's start time.

    The tracks are tried in this order until one has cues: of ``language``, marked as default, not forced (a forced
    track holds only the foreign parts), first. Raises `VideoDecodeError` if the container cannot be read."""
    indices = {track.index for track in tracks if is_text_track(track)}
    best = CueList(())
    try:
        with av.open(str(path)) as container:
            start = Fraction(container.start_time or 0, av.time_base)
            streams = [stream for stream in container.streams.subtitles if stream.index in indices]
            order = [stream.index for stream in sorted(streams, key=lambda stream: _preference(stream, language))]
        for index in order:
            best = _repair(_read_track(path, index, start), TimeSpan(0.0, duration_seconds), f"subtitle track {index}")
            if best.cues:
                break
    except FFmpegError as e:
        raise VideoDecodeError(f"the subtitle tracks of {path} cannot be read: {e}") from e
    return best


def _preference(stream: SubtitleStream, language: str | None) -> tuple[bool, bool, bool, int]:
    wanted = language is not None and (stream.language or "").lower()[:2] == language.lower()[:2]
    flags = stream.disposition
    return (not wanted, bool(flags & Disposition.forced), not flags & Disposition.default, stream.index)


def _read_track(path: Path, index: int, start: Fraction) -> Parsed:
    parsed = Parsed()
    with av.open(str(path)) as container:
        for other in container.streams:
            if other.index != index:
                other.discard = Discard.all  # so that pictures are not even read where the container allows it
        for number, packet in enumerate(container.demux(container.streams[index]), start=1):
            if packet.pts is None or not packet.size:
                continue
            try:
                rects = packet.decode()
            except FFmpegError:
                parsed.unreadable.append(number)
                continue
            begin = float(packet.pts * packet.time_base - start)
            end = float((packet.pts + packet.duration) * packet.time_base - start) if packet.duration else None
            for rect in rects:
                if isinstance(rect, AssSubtitle) and r"{\p1" not in rect.ass.decode("utf-8", "replace"):
                    text = (rect.dialogue or rect.text).decode("utf-8", "replace")
                    parsed.cues.append(RawCue(begin, end, text))
    return parsed


# ------------------------------------------------------------------------------------------------------ repair


def _repair(parsed: Parsed, video: TimeSpan, name: str, warnings: Sequence[str] = ()) -> CueList:
    """Cues in order, inside the video, cleaned, without what captions that roll up repeat; the rest is counted."""
    said = list(warnings)
    if parsed.unreadable:
        said.append(f"{name}: {len(parsed.unreadable)} cues could not be read, the first at {parsed.unreadable[0]}")
    texts = [(cue, text) for cue in parsed.cues if (text := clean_text(cue.text))]
    if any(cue.start is None for cue, _ in texts):
        said.append(f"{name} has text without times: each line is taken to span the whole video")
    timed = sorted(((cue.start or 0.0, cue.end, text) for cue, text in texts if cue.start is not None))
    found = [Cue(video, text, "subtitles") for cue, text in texts if cue.start is None]
    num_inverted = num_outside = 0
    for position, (start, end, text) in enumerate(timed):
        if end is None or end == start:
            following = next((s for s, _, _ in timed[position + 1 :] if s > start), video.end)
            end = min(following, start + _MAX_GUESSED_SECONDS)
        if end < start:
            num_inverted += 1
        elif start >= video.end or end <= 0:
            num_outside += 1
        elif (begin := max(0.0, start)) < (stop := min(end, video.end)):
            found.append(Cue(TimeSpan(begin, stop), text, "subtitles"))
    if num_inverted:
        said.append(f"{name}: {num_inverted} cues end before they start and were left out")
    if num_outside:
        said.append(
            f"{name}: {num_outside} cues lie outside the video's {video.end:.1f} s and were left out;"
            " is it the subtitle file of this video?"
        )
    return CueList(tuple(_unroll(found) if parsed.rolls else found), tuple(said))


def _unroll(cues: Sequence[Cue]) -> list[Cue]:
    """Live captions roll up: a cue repeats the last lines of the one before and adds a line. Each line is kept once,
    from when it first appears; a cue that adds nothing prolongs the one before."""
    kept: list[Cue] = []
    before: list[str] = []
    for cue in dict.fromkeys(cues):  # ASS effects layer equal events
        lines = cue.text.split("\n")
        if kept and abs(cue.span.start - kept[-1].span.end) <= 0.1:
            most = min(len(lines), len(before))
            repeated = next((n for n in range(most, 0, -1) if before[-n:] == lines[:n]), 0)
        else:
            repeated = 0
        if repeated == len(lines):
            kept[-1] = Cue(TimeSpan(kept[-1].span.start, cue.span.end), kept[-1].text, "subtitles")
        else:
            kept.append(Cue(cue.span, "\n".join(lines[repeated:]), "subtitles"))
        before = lines
    return kept
