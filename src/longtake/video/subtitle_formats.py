"""Subtitle text in the forms people have -> raw cues: SRT, WebVTT, ASS and others by pysubs2, JSON of benchmarks.

Owns the syntax only. Opens no file, knows no video, and repairs nothing: what cannot be read is counted with its
line, what has no end says so.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson
import pysubs2
from pysubs2.exceptions import Pysubs2Error

from ..types import JSON, Chapter

__all__ = ["Parsed", "RawCue", "SyntaxProblem", "clean_text", "decode_text", "parse", "parse_json"]

_ARROW_TIMES = re.compile(r"^\s*(?P<start>[\d:.,]+)\s*-+>\s*(?P<end>[\d:.,]+)(?:\s|$)")
_CLOCK = re.compile(r"^(?:(?P<h>\d+):)?(?P<m>\d{1,2}):(?P<s>\d{1,2})(?:[.,](?P<f>\d+))?$")
_DIALOGUE = re.compile(r"^Dialogue:[^,]*,\s*\d+:\d+:\d+[.,]\d+\s*,\s*\d+:\d+:\d+[.,]\d+\s*,")
_OVERRIDES = re.compile(r"\{\\[^{}]*\}")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\x00]")
_CLIP_MARK = re.compile(r"<([A-Za-z0-9_]*clip_?\d+)>")


class SyntaxProblem(ValueError):
    """The text is not in a form that can be read. ``line`` counts from 1; the caller adds the file's name."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class RawCue:
    """Times in seconds as written. ``end`` is None where none is written; both are None for text without times."""

    start: float | None
    end: float | None
    text: str


@dataclass(slots=True)
class Parsed:
    """``unreadable`` holds the line (or, in JSON, the entry, counted from 1) of each cue that was given up. What a cue
    repeats of the one before may be left out where captions roll up; ``rolls`` is False where they cannot."""

    cues: list[RawCue] = field(default_factory=list[RawCue])
    unreadable: list[int] = field(default_factory=list[int])
    rolls: bool = True


def decode_text(data: bytes) -> tuple[str, str | None]:
    """Text of a file and the encoding if it had to be guessed: a byte order mark, then UTF-8, then UTF-16 by its zero
    bytes, are certain; Windows-1252 (Latin-1 where that has holes) is a guess."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), None
    head = data[:4096]
    if head.count(0) > len(head) // 4:
        return data.decode("utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be", "replace"), None
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding), None if encoding == "utf-8" else "Windows-1252"
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "Latin-1"


def clean_text(text: str) -> str:
    """What is shown: no tags, no override codes, entities resolved, one space between words, no empty lines.

    The speaker of a WebVTT voice tag is kept as ``Name: ``."""
    text = _OVERRIDES.sub("", text).replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    text = html.unescape(_TAG.sub("", _VOICE.sub(lambda found: f"{found[1].strip()}: ", text)))
    lines = (" ".join(_INVISIBLE.sub("", line).split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def clock_seconds(text: str) -> float | None:
    """``[H:]M:S[.fraction]`` or plain seconds; None if it is neither."""
    if found := _CLOCK.match(text.strip()):
        fraction = float(f"0.{found['f']}") if found["f"] else 0.0
        return int(found["h"] or 0) * 3600 + int(found["m"]) * 60 + int(found["s"]) + fraction
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if abs(seconds) < 1e9 else None


def parse(text: str) -> Parsed:
    """Cues of any text form. Raises `SyntaxProblem` when nothing in ``text`` looks like one."""
    head = text.lstrip("\ufeff \t\r\n")
    if not head:
        return Parsed()
    if "[Script Info]" in text or "[Events]" in text:
        return _parse_ass(text)
    if "->" in text:
        parsed = _parse_arrows(text)
        if parsed.cues or parsed.unreadable:
            return parsed
    if head.startswith("WEBVTT"):
        return Parsed()
    return _parse_other(text)


def _parse_arrows(text: str) -> Parsed:
    """SRT and WebVTT, line by line: pysubs2 adds a cue with broken times to the text of the one before, and reads
    WebVTT comments and cue names as text."""
    parsed = Parsed()
    is_vtt = text.lstrip("\ufeff \t\r\n").startswith("WEBVTT")
    times: tuple[float, float] | None = None
    body: list[str] = []
    after_blank = True
    lines = text.splitlines()

    def close() -> None:
        if times is not None:
            parsed.cues.append(RawCue(*times, "\n".join(body)))
        body.clear()

    for number, line in enumerate(lines, start=1):
        if "->" in line and (found := _ARROW_TIMES.match(line)):
            if not is_vtt and body and body[-1].strip().isdigit():
                body.pop()  # the counter of this cue, in a file without empty lines
            close()
            start, end = clock_seconds(found["start"]), clock_seconds(found["end"])
            times = None if start is None or end is None else (start, end)
            if times is None:
                parsed.unreadable.append(number)
        elif "-->" in line:
            close()
            times = None
            parsed.unreadable.append(number)
        elif not line.strip():
            if is_vtt or times is None:
                close()
                times = None
        elif times is not None and not (after_blank and _is_counter(lines, number)):
            body.append(line)  # SRT text may go on after an empty line
        after_blank = not line.strip()
    close()
    return parsed


def _is_counter(lines: list[str], number: int) -> bool:
    """Line ``number`` (from 1) counts the cue whose times are on the next line."""
    return lines[number - 1].strip().isdigit() and number < len(lines) and "-->" in lines[number]


def _parse_ass(text: str) -> Parsed:
    """pysubs2 refuses the whole file for one line with broken times, so such lines are taken out and counted."""
    parsed = Parsed()
    kept: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("Dialogue:") and not _DIALOGUE.match(line):
            parsed.unreadable.append(number)
        else:
            kept.append(line)
    parsed.cues = _pysubs2_cues("\n".join(kept))
    return parsed


def _parse_other(text: str) -> Parsed:
    return Parsed(_pysubs2_cues(text))


def _pysubs2_cues(text: str) -> list[RawCue]:
    try:
        events = list(pysubs2.SSAFile.from_string(text))
    except (Pysubs2Error, ValueError, SyntaxError) as e:
        raise SyntaxProblem(f"no subtitle format is recognised ({e})", 1) from e
    shown = [event for event in events if not event.is_comment and not event.is_drawing]
    return [RawCue(event.start / 1000, event.end / 1000, event.plaintext) for event in shown]


def parse_json(text: str, stem: str, chapters: Sequence[Chapter] = ()) -> Parsed:
    """Cues of the JSON forms of benchmarks for the video file called ``stem``:

    - a list of ``{"timestamp": [s, e], "text"}``, ``{"start", "end", "line"}`` or ``{"start", "end", "text"}``,
      times in seconds or as ``H:M:S.ms`` (LongVideoBench);
    - an object from clip id to such a list or to text, or from episode id to text with ``<seg02_clip_00>`` before the
      text of each clip (TVQA). Text has no times: one cue a line. What is of one of the ``chapters`` by its id lies
      there: times count from its start, text is one cue as long as it.

    Raises `SyntaxProblem` for other JSON and where the object has nothing for ``stem``."""
    try:
        value = cast("JSON", orjson.loads(text))
    except orjson.JSONDecodeError as e:
        raise SyntaxProblem(f"not JSON: {e.msg}", e.lineno) from e
    if isinstance(value, list):
        return _parse_entries(value)
    if isinstance(value, dict):
        clips = dict(_clips(value))
        return _parse_chapters(clips, chapters) or _parse_clip(clips, stem)
    raise SyntaxProblem("subtitles in JSON are a list of cues or an object from clip id to text", 1)


def _parse_clip(clips: Mapping[str, str | list[JSON]], stem: str) -> Parsed:
    name = _named(clips, stem)
    parts = [said for clip, said in clips.items() if clip.startswith(f"{stem}_") and isinstance(said, str)]
    if name is None and parts:  # the clips of an episode, whose places in it are not known
        return Parsed([RawCue(None, None, line) for line in clean_text("\n".join(parts)).splitlines()])
    if name is None:
        some = ", ".join(list(clips)[:3])
        raise SyntaxProblem(f"no text for {stem!r} among {len(clips)} ids ({some}, ...)", 1)
    said = clips[name]
    if isinstance(said, list):
        return _parse_entries(said)
    return Parsed([RawCue(None, None, line) for line in clean_text(said).splitlines()])


def _parse_chapters(clips: Mapping[str, str | list[JSON]], chapters: Sequence[Chapter]) -> Parsed | None:
    """What is said in each chapter, where it lies; None if no chapter is known."""
    parsed = Parsed(rolls=False)
    known = [(chapter.span, clips[name]) for chapter in chapters if (name := _named(clips, chapter.id)) is not None]
    for span, said in known:
        if isinstance(said, str):
            parsed.cues.append(RawCue(span.start, span.end, said))
            continue
        found = _parse_entries(said)
        parsed.unreadable += found.unreadable
        for cue in found.cues:
            begin = span.start + (cue.start or 0.0)
            if begin < span.end:  # the words of a clip never reach into the next one
                end = None if cue.end is None else min(span.start + cue.end, span.end)
                parsed.cues.append(RawCue(begin, end, cue.text))
    return parsed if known else None


def _parse_entries(entries: list[JSON]) -> Parsed:
    parsed = Parsed()
    for number, entry in enumerate(entries, start=1):
        cue = _entry(entry) if isinstance(entry, dict) else None
        if cue is None:
            parsed.unreadable.append(number)
        else:
            parsed.cues.append(cue)
    if entries and not parsed.cues:
        allowed = '{"timestamp": [s, e], "text"}, {"start", "end", "text"} or {"start", "end", "line"}'
        raise SyntaxProblem(f"none of {len(entries)} entries is a cue; a cue is {allowed}", 1)
    return parsed


def _entry(entry: Mapping[str, JSON]) -> RawCue | None:
    text = entry.get("text", entry.get("line"))
    pair = entry.get("timestamp")
    start, end = pair if isinstance(pair, list) and len(pair) == 2 else (entry.get("start"), entry.get("end"))
    start_seconds = _json_seconds(start)
    if not isinstance(text, str) or start_seconds is None:
        return None
    return RawCue(start_seconds, _json_seconds(end), text)


def _json_seconds(value: JSON) -> float | None:
    if isinstance(value, str):
        return clock_seconds(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _named(clips: Mapping[str, object], stem: str) -> str | None:
    """The id of the clip or episode ``stem``. Ids may lack the show's prefix that file names have, or have one that
    file names lack: the longest id that ``stem`` ends with counts, else the only one that ends with it."""
    if stem in clips:
        return stem
    if shorter := [clip for clip in clips if stem.endswith(f"_{clip}")]:
        return max(shorter, key=len)
    longer = [clip for clip in clips if clip.endswith(f"_{stem}")]
    return longer[0] if len(longer) == 1 else None


def _clips(texts: Mapping[str, JSON]) -> Iterator[tuple[str, str | list[JSON]]]:
    for name, text in texts.items():
        if isinstance(text, list):
            yield name, text
            continue
        if not isinstance(text, str):
            raise SyntaxProblem(f"the text of {name!r} is {type(text).__name__}; it is a string or a list of cues", 1)
        parts = _CLIP_MARK.split(text)  # [before, mark, text, mark, text, ...]
        yield name, "\n".join([parts[0], *parts[2::2]])
        for mark, clip in zip(parts[1::2], parts[2::2], strict=True):
            yield f"{name}_{mark}", clip
