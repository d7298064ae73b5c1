"""Numbered pictures in a folder as a video, and folders of them joined to an episode.

Picture number n is shown from ``(n - first) / fps`` seconds on. Where numbers are missing the picture before is shown,
and a warning says so. An episode is a folder of such folders, or a file ``NAME.frames.json``::

    {"fps": 3, "clips": [{"id": "s01e01_seg02_clip_00", "folder": "clips/00"}, ...]}

whose clips follow each other without a gap; ids make them chapters. Folders count from where the file lies.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigError, VideoDecodeError, VideoNotFoundError
from ..media import Chapter, TimeSpan, VideoInfo
from .probe import MAX_KNOWN, Recent, Track, probe

__all__ = [
    "BROKEN",
    "EPISODE_SUFFIX",
    "FrameTrack",
    "episode_json",
    "frame_number",
    "natural_key",
    "open_track",
    "probe_frames",
    "stem_of",
]

EPISODE_SUFFIX = ".frames.json"
DEFAULT_FPS = 3.0
"""The rate of TVQA's frames, the best known data in this form."""
_VERSION = 1
_MAX_FILE_BYTES = 16 << 20
_HEAD_BYTES = 1 << 16
_FIRST_PICTURES = 16
_NUMBERED = re.compile(r"(?:.*\D)?(\d{1,12})\.(?:jpe?g|png)", re.IGNORECASE | re.DOTALL)
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for pictures that are damaged or none."""


def frame_number(name: str) -> int | None:
    """The number at the end of a picture's name (``00017.jpg``, ``frame_17.png``); None for other files."""
    found = None if name.startswith(".") else _NUMBERED.fullmatch(name)
    return int(found[1]) if found else None


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts ``clip_9`` before ``clip_10``."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part)


def stem_of(path: Path) -> str:
    """What files that belong to the video at ``path`` are called, before their extension."""
    if path.name.endswith(EPISODE_SUFFIX):
        return path.name.removesuffix(EPISODE_SUFFIX)
    return path.absolute().name if path.is_dir() else path.stem


class _Clip(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: str
    id: Annotated[str, Field(min_length=1)] | None = None


class _Episode(BaseModel):
    """The content of a ``.frames.json`` file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    fps: float = Field(gt=0, le=1000, allow_inf_nan=False)
    clips: Annotated[tuple[_Clip, ...], Field(min_length=1)]


def episode_json(clips: Sequence[tuple[str, Path]], fps: float) -> bytes:
    """The content of a ``.frames.json`` file for (id, folder) pairs in order."""
    made = _Episode(fps=fps, clips=tuple(_Clip(id=id_, folder=str(folder)) for id_, folder in clips))
    return made.model_dump_json(indent=1).encode()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrameTrack(Track):
    """``files[i]`` is shown from the tick ``ticks[i]`` on; a tick lasts ``time_base`` seconds."""

    files: tuple[str, ...]
    ticks: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Listed:
    """The pictures of one folder: (number, name, bytes), by number."""

    id: str | None
    folder: Path
    pictures: tuple[tuple[int, str, int], ...]

    @property
    def first(self) -> int:
        return self.pictures[0][0]

    @property
    def num_ticks(self) -> int:
        return self.pictures[-1][0] - self.first + 1


_known = Recent[FrameTrack](MAX_KNOWN)


def open_track(path: Path, frame_fps: float | None = None) -> Track:
    """The track of a video file, a folder of frames or an episode. ``frame_fps`` counts for folders only.

    Raises `VideoNotFoundError`, `VideoDecodeError`, and `ConfigError` for a rate that is none."""
    # not Path.is_dir, which raises for a name that no file can have
    is_frames = path.name.endswith(EPISODE_SUFFIX) or os.path.isdir(path)
    return probe_frames(path, frame_fps) if is_frames else probe(path)


def probe_frames(path: Path, frame_fps: float | None = None) -> FrameTrack:
    """The track of a folder of frames or an episode, as `open_track`. Lists the files and reads a few of them."""
    if frame_fps is not None and not (0 < frame_fps <= 1000):
        raise ConfigError(f"frame_fps is a number of frames a second, above 0 and at most 1000, got {frame_fps}")
    warnings: list[str] = []
    try:
        if path.name.endswith(EPISODE_SUFFIX):
            clips, fps = _read_episode(path)
        else:
            clips = _list_folder(path, warnings)
            fps = DEFAULT_FPS if frame_fps is None else float(frame_fps)
            if frame_fps is None:
                warnings.append(
                    f"a folder does not say how fast its frames follow, so {DEFAULT_FPS:g} a second are taken; give "
                    f"frame_fps or a {EPISODE_SUFFIX} file"
                )
        print_ = _fingerprint(clips, fps)
    except OSError as e:
        if isinstance(e, VideoNotFoundError):
            raise
        raise VideoDecodeError(f"{path}: its frames cannot be listed: {(e.strerror or str(e)).lower()}") from e
    key = (str(path), print_ + str(frame_fps is None))
    if (found := _known.get(key)) is not None:
        return found
    track = _track(path, clips, fps, print_, (*warnings, *_holes(clips)))
    _known.put(key, track)
    return track


def _track(path: Path, clips: Sequence[_Listed], fps: float, print_: str, warnings: tuple[str, ...]) -> FrameTrack:
    tick = 1 / Fraction(fps).limit_denominator(1001)
    files: list[str] = []
    ticks: list[int] = []
    chapters: list[Chapter] = []
    begin = 0
    for clip in clips:
        files += [os.path.join(clip.folder, name) for _, name, _ in clip.pictures]
        ticks += [begin + number - clip.first for number, _, _ in clip.pictures]
        end = begin + clip.num_ticks
        if clip.id is not None:
            chapters.append(Chapter(clip.id, TimeSpan(float(begin * tick), float(end * tick))))
        begin = end
    width, height = _size(path, files)
    info = VideoInfo(
        uri=str(path),
        fingerprint=print_,
        duration_seconds=float(begin * tick),
        average_fps=fps,
        num_frames=len(files),
        width=width,
        height=height,
        codec="frames",
        has_audio=False,
        warnings=warnings,
        chapters=tuple(chapters),
    )
    places = np.array(ticks, dtype=np.int64)
    zero = Fraction(0)
    return FrameTrack(path, 0, tick, zero, 0, 0, places, info, files=tuple(files), ticks=places)


def _size(path: Path, files: Sequence[str]) -> tuple[int, int]:
    """Of the first picture that can be read; the others are scaled to it."""
    problem = ""
    for file in files[:_FIRST_PICTURES]:
        try:
            with Image.open(file) as image:
                return image.size
        except BROKEN as e:
            problem = problem or str(e)
    raise VideoDecodeError(f"{path}: none of its first pictures can be read ({problem}); fetch or unpack it again")


# ----------------------------------------------------------------------------------------------------- listing


def _read_episode(path: Path) -> tuple[list[_Listed], float]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES)
        episode = _Episode.model_validate_json(data)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise VideoNotFoundError(f"there is no file {path}; give the path of a video on this machine") from e
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in e.errors()[:3])
        raise VideoDecodeError(
            f'{path} does not name frames ({wrong}); it holds {{"fps": 3, "clips": [{{"id": "a", "folder": "a"}}]}}'
        ) from e
    ids = [clip.id for clip in episode.clips]
    if len({clip_id is None for clip_id in ids}) > 1 or (None not in ids and len(set(ids)) < len(ids)):
        raise VideoDecodeError(f"{path}: either all clips have an id, each its own, or none has")
    clips: list[_Listed] = []
    for clip in episode.clips:
        folder = path.parent / clip.folder
        pictures = _pictures(folder)
        if not pictures:
            raise VideoDecodeError(f"{path} names the folder {folder}, which holds no numbered pictures")
        clips.append(_Listed(clip.id, folder, pictures))
    return clips, episode.fps


def _list_folder(path: Path, warnings: list[str]) -> list[_Listed]:
    """The one clip of a folder of frames, or those of a folder of such folders."""
    if pictures := _pictures(path):
        return [_Listed(None, path, pictures)]
    with os.scandir(path) as listing:
        names = [item.name for item in listing if item.is_dir() and not item.name.startswith(".")]
    clips = [_Listed(name, path / name, _pictures(path / name)) for name in sorted(names, key=natural_key)]
    if not any(clip.pictures for clip in clips):
        raise VideoDecodeError(
            f"{path} is a folder without numbered pictures (00001.jpg, 00002.jpg ...), also one level below; give a "
            "video file, or a folder of frames"
        )
    if empty := [clip.id or "" for clip in clips if not clip.pictures]:
        warnings.append(f"{len(empty)} of its {len(clips)} clips hold no pictures and are left out, first {empty[0]}")
    return [clip for clip in clips if clip.pictures]


def _pictures(folder: Path) -> tuple[tuple[int, str, int], ...]:
    try:
        with os.scandir(folder) as listing:
            found = sorted(
                (number, item.name, item.stat().st_size)
                for item in listing
                if (number := frame_number(item.name)) is not None
            )
    except (FileNotFoundError, NotADirectoryError) as e:
        raise VideoNotFoundError(f"there is no folder {folder}; give the path of a folder of frames") from e
    for (number, name, _), (following, other, _) in pairwise(found):
        if number == following:
            raise VideoDecodeError(
                f"{folder}: {name} and {other} are both picture {number}; give each sequence a folder of its own"
            )
    return tuple(found)


def _holes(clips: Sequence[_Listed]) -> Iterator[str]:
    """What is odd about the numbers, one sentence each."""
    holed = [clip for clip in clips if clip.num_ticks > len(clip.pictures)]
    if holed:
        numbers = {number for number, _, _ in holed[0].pictures}
        first = next(n for n in range(holed[0].first, holed[0].first + holed[0].num_ticks) if n not in numbers)
        num_missing = sum(clip.num_ticks - len(clip.pictures) for clip in holed)
        num_ticks = sum(clip.num_ticks for clip in clips)
        yield (
            f"{num_missing} of its {num_ticks} pictures are missing, first number {first} in {holed[0].folder.name}; "
            "the picture before is shown in their place"
        )
    late = [clip for clip in clips if clip.first > 1]
    if late:
        yield f"the numbers in {late[0].folder.name} begin at {late[0].first}, which is taken as its start"


def _fingerprint(clips: Sequence[_Listed], fps: float) -> str:
    """32 hex digits from the rate, all names and sizes, and the first bytes of three pictures a clip."""
    state = hashlib.sha256(f"frames {_VERSION} {fps!r}".encode())
    for clip in clips:
        state.update(f"\0{clip.id!r}".encode("utf-8", "surrogatepass"))
        for _, name, size in clip.pictures:
            state.update(os.fsencode(f"/{name}/{size}"))
        last = len(clip.pictures) - 1
        for n in sorted({0, last // 2, last}):
            with open(os.path.join(clip.folder, clip.pictures[n][1]), "rb") as file:
                state.update(file.read(_HEAD_BYTES))
    return state.hexdigest()[:32]
