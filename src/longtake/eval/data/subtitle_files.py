"""The subtitles of a benchmark's video, as a file that `Video.open` takes: the one that lies there, or one written once
into the cache where the benchmark keeps the words of all videos together, per clip, or on another clock.

What is written is the JSON that `video.subtitle_formats` reads: unlike SRT it keeps every time and text exactly. Where
a clip lies in its episode is not known here; whoever opens the video knows its chapters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias, cast

import orjson

from ...errors import ConfigError, VideoError, VideoNotFoundError
from ...store import cache_dir, digest, write_atomic
from ...types import JSON
from ...video.frame_folder import natural_key
from ...video.subtitle_formats import Parsed, SyntaxProblem, decode_text, parse, parse_json
from .videos import Entry, Finder, clip_episode, spellings

__all__ = ["SubtitleKind", "SubtitleSource"]

SubtitleKind: TypeAlias = Literal["beside", "row", "shared"]
"""``beside``: a file for each video, under its name; ``row``: a file that each row names; ``shared``: one for all."""

_JSON_SUFFIXES = (".json", ".jsonl")
_SUFFIXES = frozenset({".srt", ".vtt", ".ass", ".ssa", *_JSON_SUFFIXES})
_LANGUAGES = ("", ".en", "_en", ".eng", ".en-US")
"""What stands after the name of the video in the name of its file; the first that is there counts."""
_MAX_FILE_BYTES = 2 << 30
_BETWEEN = re.compile(r"\s*<eos>\s*")
Words: TypeAlias = "str | list[JSON]"


class SubtitleSource:
    """Where the words of a benchmark's videos are. Made by `open`."""

    def __init__(self, files: _Files | None, words: Iterable[tuple[str, Words]]) -> None:
        self._files = files
        self._text = {clip: orjson.dumps(said) for clip, said in words}  # a tenth of the memory that values take
        self._words = {clip.casefold(): clip for clip in self._text}
        self._episodes: dict[str, list[str]] = {}
        for clip in self._text:
            if episode := clip_episode(clip):
                self._episodes.setdefault(episode.casefold(), []).append(clip)

    @classmethod
    def open(
        cls, kind: SubtitleKind, path: Path, *, patterns: Sequence[str] = (), left_out: Collection[Path] = ()
    ) -> SubtitleSource:
        """``path`` is a folder (``patterns`` say what in it counts, as for `Finder`), or for ``shared`` also the file.
        ``left_out`` are files that are something else: the data, which hold gold.

        Raises `VideoNotFoundError` where nothing is there and `VideoError` for a shared file that cannot be read."""
        if kind == "shared":
            return cls(None, _read_shared(_shared_file(path, patterns)))
        if kind not in ("beside", "row"):
            raise ConfigError(f"subtitles are beside, row or shared, got {kind!r}")
        return cls(_Files(path, patterns, left_out), ())

    def find(
        self,
        video_name: str,
        *,
        named: str | None = None,
        start_seconds: float = 0.0,
        duration_seconds: float | None = None,
    ) -> Path | None:
        """The file with the subtitles of the video; None if there are none.

        ``named`` is what the row calls the file, if it does. Where the video is cut from a longer one that the
        subtitles are of, ``start_seconds`` is where it begins there and ``duration_seconds`` how long it lasts
        (LongVideoBench). Raises `AmbiguousVideoError`, and `VideoError` for a file that has to be rewritten and cannot
        be read, and for JSON that has the name of the video and no cues."""
        stems = next(iter(spellings(video_name.replace("\\", "/").rsplit("/", 1)[-1])))
        if self._files is None:
            return next((path for stem in stems if (path := self._of_all(stem)) is not None), None)
        found = self._files.find(named) if named else None
        if found is None:
            folder = video_name.replace("\\", "/").rpartition("/")[0]
            names = (f"{folder}/{stem}{tag}" for stem in stems for tag in _LANGUAGES)
            found = next((path for name in names if (path := self._files.find(name)) is not None), None)
            if found is not None and found.suffix.lower() in _JSON_SUFFIXES:
                _check_json(found, stems)
        if found is None or (start_seconds == 0 and duration_seconds is None):
            return found
        return _shifted(found, start_seconds, duration_seconds)

    def _of_all(self, stem: str) -> Path | None:
        """The words of a clip, or those of all clips of an episode, out of the shared file."""
        for names in spellings(stem):  # as it is, and without the show that TVQA's first show lacks
            for name in map(str.casefold, names):
                clips = [self._words[name]] if name in self._words else self._episodes.get(name, [])
                if clips:
                    return _keep(
                        stem, {clip: orjson.loads(self._text[clip]) for clip in sorted(clips, key=natural_key)}
                    )
        return None


class _Files(Finder):
    """Subtitle files, one for each video or clip."""

    def __init__(self, root: Path, patterns: Sequence[str], left_out: Collection[Path]) -> None:
        self._left_out = left_out
        super().__init__(root, _SUFFIXES, patterns=patterns, frames=False)

    def counts(self, entry: Entry) -> bool:
        same_name = (path for path in self._left_out if path.name == entry.parts[-1])
        return not any(path.samefile(self.place(entry)) for path in same_name)

    def join(self, name: str, clips: Sequence[Entry]) -> Path:
        """One file with the words of all clips of an episode."""
        return _keep(name, {clip.stem: _entries(_read(self.place(clip))) for clip in clips})


def _keep(name: str, words: JSON) -> Path:
    data = orjson.dumps(words, option=orjson.OPT_INDENT_2)
    shown = re.sub(r"[^\w.-]+", "_", name)[:80].strip(".") or "words"
    path = cache_dir("subtitles", digest(words)[:16]) / f"{shown}.json"
    if not path.exists():
        write_atomic(path, data)
    return path


# ------------------------------------------------------------------------------------------------ one video's file


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise VideoError(f"the subtitle file {path} is larger than {_MAX_FILE_BYTES} bytes: is it a text file?")
        return path.read_bytes()
    except OSError as e:
        raise VideoError(f"the subtitle file {path} cannot be read: {e.strerror}") from e


def _read(path: Path, stem: str | None = None) -> Parsed:
    """``stem`` is what the video is called; None: like the file."""
    text = decode_text(_bytes(path))[0]
    try:
        return parse_json(text, stem or path.stem) if path.suffix.lower() in _JSON_SUFFIXES else parse(text)
    except SyntaxProblem as e:
        raise VideoError(f"the subtitle file {path} cannot be read, line {e.line}: {e}") from e


def _check_json(path: Path, stems: Sequence[str]) -> None:
    """Raises `VideoError` for JSON that holds no cues of the video: metadata may be called like it too."""
    try:
        value = cast("JSON", orjson.loads(_bytes(path)))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict) or not any(map(clip_episode, value)):  # where clips lie is known to who opens it
        _read(path, stems[-1])


def _entries(parsed: Parsed) -> list[JSON]:
    return [{"start": cue.start, "end": cue.end, "text": cue.text} for cue in parsed.cues]


def _shifted(path: Path, start_seconds: float, duration_seconds: float | None) -> Path:
    """``path`` on the clock of a video that begins at ``start_seconds`` of it; cues outside the video are left out."""
    kept: list[JSON] = []
    for cue in _read(path).cues:
        if cue.start is None:  # text without times is said of the whole video, whichever part it is
            return path
        begin = round(cue.start - start_seconds, 6)
        end = None if cue.end is None else round(cue.end - start_seconds, 6)
        if (end if end is not None else begin) > 0 and (duration_seconds is None or begin < duration_seconds):
            kept.append({"start": max(0.0, begin), "end": end, "text": cue.text})
    return _keep(path.stem, kept)


# ---------------------------------------------------------------------------------------------------- one for all


def _shared_file(path: Path, patterns: Sequence[str]) -> Path:
    """The one file at ``path``, or in that folder: by the first pattern that any fits."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise VideoNotFoundError(f"there is no subtitle file {path}; give the file with the words of all videos")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".json", ".jsonl") and file.is_file())
    for pattern in patterns or ("*subtitle*",):
        found = [file for file in files if fnmatchcase(file.name.casefold(), pattern.casefold())]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(file.name for file in found[:4])
            raise VideoError(f"{path} holds {len(found)} subtitle files ({some}); give one of them")
    raise VideoNotFoundError(f"{path} holds no subtitle file that fits {', '.join(patterns)}; give the file itself")


def _read_shared(path: Path) -> Iterator[tuple[str, Words]]:
    """(clip or episode, its words) of a JSON object, a JSON array of rows, or a row a line, whatever the suffix."""
    data = _bytes(path)
    try:
        value = cast("JSON", orjson.loads(data))
    except orjson.JSONDecodeError as whole:
        pairs = map(_named_row, _rows(path, data, whole))
    else:
        pairs = _pairs(value)
    num_read = 0
    for number, (clip, words) in enumerate(pairs, 1):
        if clip is None or (said := _words(words)) is None:
            raise VideoError(
                f"the subtitle file {path}: entry {number} is no words of a clip; it is text, a list of cues with "
                'start, end and text, or a row like {"vid_name": "a", "sub": [...]}'
            )
        num_read += 1
        yield clip, said
    if not num_read:
        raise VideoError(f"the subtitle file {path} holds nothing; give the file with the words of all videos")


def _pairs(value: JSON) -> Iterator[tuple[str | None, JSON]]:
    match value:
        case {"sub_text": dict() as texts, "sub_time": dict() as times}:
            yield from ((clip, {"sub_text": said, "sub_time": times.get(clip)}) for clip, said in texts.items())
        case {"vid_name": str(), "sub": _} | {"clip": str(), "subtitle": _}:
            yield _named_row(value)
        case dict():
            yield from value.items()
        case list():
            yield from map(_named_row, value)
        case _:
            return


def _rows(path: Path, data: bytes, whole: orjson.JSONDecodeError) -> Iterator[JSON]:
    for number, line in enumerate(BytesIO(data), 1):
        if not line.strip():
            continue
        try:
            yield cast("JSON", orjson.loads(line))
        except orjson.JSONDecodeError as e:
            said = f"line {number}: {(whole if number == 1 else e).msg}"
            raise VideoError(f"the subtitle file {path} is neither JSON nor JSON lines: {said}") from e


def _named_row(row: JSON) -> tuple[str | None, JSON]:
    match row:
        case {"vid_name": str(clip), "sub": words} | {"clip": str(clip), "subtitle": words}:
            return clip, words
        case {**one} if len(one) == 1:
            return next(iter(one.items()))
        case _:
            return None, None


def _words(value: JSON) -> Words | None:
    if isinstance(value, dict):
        texts, times = value.get("sub_text"), value.get("sub_time")
        texts = [*_BETWEEN.split(texts)] if isinstance(texts, str) else texts
        return _timed(texts, times) if isinstance(texts, list) and isinstance(times, list) else None
    if isinstance(value, list):
        return value if all(isinstance(entry, dict) for entry in value) else None
    return value if isinstance(value, str) else None


def _timed(texts: Sequence[JSON], times: Sequence[JSON]) -> list[JSON]:
    """Lines and when each starts (or starts and ends), as TVQA's own preparation writes them."""
    entries: list[JSON] = []
    for text, time in zip(texts, times, strict=False):
        start, end = time if isinstance(time, list) and len(time) == 2 else (time, None)
        entries.append({"start": start, "end": end, "text": text})
    return entries
