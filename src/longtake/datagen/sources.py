"""The videos a run begins with: listed from a folder, each probed by the first step of every recipe."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from ..errors import ConfigError, RejectedError, VideoDecodeError
from ..store import fingerprint
from ..types import JSON
from ..video.subtitles import SUFFIXES as SUBTITLES
from .step import Context, Record, Step, Value
from .store import roots_of
from .values import Source, as_value

__all__ = ["SUFFIXES", "list_videos", "root_of", "source"]

SUFFIXES = frozenset(".mp4 .mkv .mov .avi .webm .m4v .ts .flv .mpg .mpeg .wmv .ogv .3gp".split())


def list_videos(folder: Path) -> list[Record]:
    """A root record for each video file in ``folder`` and below (or for the one file it is), sorted by path.

    Its id is the path without the suffix; where two would have the same, with it. A file with the same content as
    one before it says so. Raises `ConfigError` if there is none."""
    top = folder.parent if folder.is_file() else folder
    paths = [folder] if folder.is_file() else _videos_in(folder)
    if not paths:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ConfigError(f"there is no video in {folder}; give a folder that has some ({kinds}), or one file")
    files = sorted((path.relative_to(top).as_posix(), path) for path in paths)
    if odd := [name for name, _ in files if not name.isprintable() or any("\ud800" <= c <= "\udfff" for c in name)]:
        raise ConfigError(f"the file name {odd[0]!a} cannot be written to a training file; rename it")
    ids = [str(Path(name).with_suffix("")) for name, _ in files]
    taken = Counter(ids)
    same, subtitles = _same_files(files), _subtitles_in({path.parent for _, path in files})
    rows = list[tuple[str, str, Value]]()
    for (name, path), id_ in zip(files, ids, strict=True):
        unique = name if taken[id_] > 1 else id_
        stat = path.stat()
        value: dict[str, JSON] = {"video": name, "num_bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        if beside := subtitles.get(path.with_suffix("")):
            value["subtitles"] = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in beside]
        if name in same:
            value["same_as"] = same[name]
        rows.append((unique, unique, value))
    return roots_of(rows)


def root_of(folder: Path) -> Path:
    """The folder in which the paths of the videos begin, absolute."""
    return (folder.parent if folder.is_file() else folder).resolve()


def _videos_in(folder: Path) -> list[Path]:
    """Hidden files and folders are left out."""
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _subtitles_in(folders: Iterable[Path]) -> dict[Path, list[Path]]:
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
        video = await ctx.open(root)
        await ctx.in_thread(video.check)
        info = video.info
        beside = [
            video.path.with_name(str(row[0])) for row in cast("list[list[JSON]]", root.value.get("subtitles", []))
        ]
        subtitles = await ctx.in_thread(lambda: tuple(fingerprint(path) for path in beside))
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
            subtitles,
        )
        return [as_value(found)]

    return Step("source", 1, {}, run)
