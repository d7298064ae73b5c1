"""The videos a run begins with: listed from a folder, each probed by the first step of every recipe."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

from ..errors import ConfigError, RejectedError, VideoDecodeError, VideoError
from ..store import fingerprint
from ..types import JSON
from ..video.subtitles import SUFFIXES as SUBTITLES
from .step import Context, Record, Step, Value
from .store import roots_of
from .values import Source, as_value

__all__ = ["SUFFIXES", "file_value", "list_videos", "root_of", "source", "subtitles_in"]

SUFFIXES = frozenset(".mp4 .mkv .mov .avi .webm .m4v .ts .flv .mpg .mpeg .wmv .ogv .3gp".split())


def list_videos(folder: Path, known: Sequence[Record] = ()) -> list[Record]:
    """A root record for each video file in ``folder`` and below (or for the one file it is), sorted by path.

    Its id is the path without the suffix; if that is taken by another file, with it. Files that were ``known`` before
    keep their ids, so what is added later changes nothing. A file with the same content as one before it says so, and
    one whose name cannot be written to a training file. Folders that longtake wrote are left out. Raises
    `ConfigError` if there is no video."""
    top = folder.parent if folder.is_file() else folder
    paths = [folder] if folder.is_file() else list(_videos_in(folder))
    if not paths:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ConfigError(f"there is no video in {folder}; give a folder that has some ({kinds}), or one file")
    files = sorted((path.relative_to(top).as_posix(), path) for path in paths)
    same, subtitles = _same_files(files), subtitles_in({path.parent for _, path in files})
    ids = _ids([_written(name) for name, _ in files], known)
    rows = list[tuple[str, str, Value]]()
    for name, path in files:
        id_ = ids[_written(name)]
        value = file_value(path, _written(name), subtitles)
        if name in same:
            value["same_as"] = same[name]
        if _written(name) != name or not name.isprintable():
            value["is_odd"] = True
        rows.append((id_, id_, value))
    return roots_of(rows)


def _written(name: str) -> str:
    """A file name as text that can be stored, even if it is none."""
    return name.encode("utf-8", "backslashreplace").decode()


def _ids(names: Iterable[str], known: Sequence[Record]) -> dict[str, str]:
    ids = {str(root.value["video"]): root.id for root in known}
    taken = set(ids.values())
    for name in names:
        if name not in ids:
            stem = str(PurePosixPath(name).with_suffix(""))
            others = (f"{name}~{number}" for number in itertools.count(2))
            ids[name] = next(each for each in itertools.chain((stem, name), others) if each not in taken)
            taken.add(ids[name])
    return ids


def root_of(folder: Path) -> Path:
    """The folder in which the paths of the videos begin, absolute."""
    return (folder.parent if folder.is_file() else folder).resolve()


def _videos_in(folder: Path) -> Iterator[Path]:
    """In folders that are linked too. Hidden ones are left out, and those that longtake wrote: runs, and clips."""
    seen = set[str]()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        is_ours = place != str(folder) and any(name in names for name in ("run.json", "clips.jsonl"))
        if real in seen or is_ours:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        yield from (path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file())


def file_value(path: Path, name: str, subtitles: Mapping[Path, Sequence[Path]]) -> dict[str, JSON]:
    """What a root says of a video file and of those of ``subtitles`` that are its own; see `subtitles_in`."""
    stat = path.stat()
    value: dict[str, JSON] = {"video": name, "num_bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    if beside := subtitles.get(path.with_suffix("")):
        value["subtitles"] = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in beside]
    return value


def subtitles_in(folders: Iterable[Path]) -> dict[Path, list[Path]]:
    """Subtitle files by the path of their video without its suffix; ``film.en.srt`` may be of film or film.en."""
    found = defaultdict[Path, list[Path]](list)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUBTITLES and path.is_file():
                stem = path.with_suffix("")
                for key in {stem, stem.with_suffix("")}:
                    found[key].append(path)
    return found


def _same_files(files: Sequence[tuple[str, Path]]) -> dict[str, str]:
    """Names of files with the content of an earlier one -> that one's name. Reads only files of equal size."""
    by_size = defaultdict[int, list[tuple[str, Path]]](list)
    for name, path in files:
        by_size[path.stat().st_size].append((name, path))
    same = dict[str, str]()
    for group in by_size.values():
        first = dict[str, str]()
        for name, path in group if len(group) > 1 else ():
            try:
                print_ = fingerprint(path)
            except VideoDecodeError:  # the source step says so
                continue
            if first.setdefault(print_, name) != name:
                same[name] = first[print_]
    return same


def source() -> Step:
    """The first step: what the file is. Fails on a file that cannot be used, drops one that is there already."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (root,) = records
        if "same_as" in root.value:
            raise RejectedError(f"the same file as {root.value['same_as']}")
        if root.value.get("is_odd"):
            raise RejectedError(
                f"the file name {root.value['video']!a} cannot be written to a training file; rename it"
            )
        video = await ctx.open(root)
        await ctx.in_thread(video.check)
        info = video.info
        beside = [
            video.path.with_name(str(row[0])) for row in cast("list[list[JSON]]", root.value.get("subtitles", []))
        ]
        sums = await ctx.in_thread(lambda: [_sha256(path) for path in (video.path, *beside)])
        found = Source(
            root.id,
            str(root.value["video"]),
            info.fingerprint,
            int(str(root.value["num_bytes"])),
            info.duration_seconds,
            info.average_fps,
            info.width,
            info.height,
            info.warnings,
            tuple(sums[1:]),
            sums[0],
        )
        return [as_value(found)]

    return Step("source", 2, {}, run, forgets=True)


def _sha256(path: Path) -> str:
    """Of the whole file, 64 hex digits: a file that was damaged and mended is another one."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise VideoError(f"{path} cannot be read: {e.strerror}") from e
