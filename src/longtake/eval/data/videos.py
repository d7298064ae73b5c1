"""Finds the video, or another file, that a benchmark's row names, in whichever layout people have it. Opens no video.

Names come from data and are not trusted: what is found always lies under the root that the user gave. A name that fits
several different videos is refused, never guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ...errors import AmbiguousVideoError, VideoError, VideoNotFoundError
from ...store import cache_dir, digest, fingerprint, write_atomic
from ...video.frame_folder import EPISODE_SUFFIX, episode_json, frame_number, natural_key, probe_frames

__all__ = ["VIDEO_SUFFIXES", "Entry", "Finder", "VideoFinder", "clip_episode", "spellings"]

VIDEO_SUFFIXES = frozenset(
    ".mp4 .mkv .webm .mov .avi .m4v .mpg .mpeg .ts .mts .m2ts .flv .wmv .3gp .ogv .vob .mxf .gif".split()
)
_UNFINISHED = (".incomplete", ".part", ".partial", ".crdownload", ".download", ".tmp", ".aria2", ".ytdl")
_ENOUGH_FRAMES = 64
"""After so many numbered pictures and nothing else a folder is one of frames; the rest of it is not read."""
_CLIP = re.compile(r"(?P<episode>.+?)_seg\d+_clip_\d+", re.IGNORECASE)
"""TVQA's names of clips. Those of its first show lack the show: ``s01e01_seg02_clip_00``."""
_FIRST_SHOW = "bbt_"
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder of frames below the root: ``parts`` are its folders and its name."""

    parts: tuple[str, ...]
    stem: str
    is_file: bool

    @property
    def shown(self) -> str:
        return "/".join(self.parts) or "."


@dataclass(frozen=True, slots=True)
class _Tree:
    """What one scan found, by case-folded name."""

    by_stem: dict[str, list[Entry]] = field(default_factory=dict[str, list[Entry]])
    episodes: dict[str, list[Entry]] = field(default_factory=dict[str, list[Entry]])
    """Frame folders by the episode in their name, and by the folder they lie in."""
    groups: dict[str, list[Entry]] = field(default_factory=dict[str, list[Entry]])
    folders: set[str] = field(default_factory=set[str])


class Finder:
    """The files under ``root`` with one of ``suffixes``, listed once; folders of numbered pictures where ``frames``.

    ``patterns`` say where this benchmark keeps them (globs of the path under the root, ``data/*``); of several that fit
    a name, those that match the first of them are taken. ``links`` names folders that are symbolic links and so were
    not looked into. Raises `VideoNotFoundError` if there is no such folder."""

    def __init__(self, root: Path, suffixes: Collection[str], *, patterns: Sequence[str], frames: bool) -> None:
        if not root.is_dir():
            said = f"{root} is a file" if root.exists() else f"there is no folder {root}"
            raise VideoNotFoundError(f"{said}; give the folder that holds the files")
        self.root = root
        self.links: list[Path] = []
        self._suffixes = suffixes
        self._frames = frames
        self._patterns = tuple(pattern.casefold() for pattern in patterns)
        self._tree = _Tree()
        for entry in filter(self.counts, self._scan()):
            self._add(entry)

    def __len__(self) -> int:
        return sum(map(len, self._tree.by_stem.values()))

    def find(self, name: str) -> Path | None:
        """The file or folder called ``name``, None if there is none.

        Tried: the path as given; its leading folders dropped or shards put before it; another extension; another case.
        Where a folder of the name exists, the file must lie below it. Failing that the clips of an episode of this
        name, joined. Raises `AmbiguousVideoError` when files of different content fit equally well."""
        parts = _parts(name)
        if not parts:
            return None
        for stems in spellings(parts[-1], self._suffixes):
            entries = [entry for stem in stems for entry in self._tree.by_stem.get(stem.casefold(), ())]
            if entries := self._below(parts, entries):
                return self.place(self._only(name, self._best(parts, entries)))
            if clips := self._clips(name, parts, stems):
                return self.join(stems[-1], clips)
        return None

    def counts(self, entry: Entry) -> bool:
        """Whether it is one of the files at all."""
        return True

    def place(self, entry: Entry) -> Path:
        return self.root.joinpath(*entry.parts)

    def join(self, name: str, clips: Sequence[Entry]) -> Path:
        """What stands for the episode ``name`` with these clips, in order."""
        raise NotImplementedError

    def content(self, entry: Entry) -> str:
        """Equal for files that are the same. Raises `VideoError` for what cannot be read."""
        return fingerprint(self.place(entry))

    # ------------------------------------------------------------------------------------------------- choosing

    def _below(self, parts: Sequence[str], entries: Iterable[Entry]) -> list[Entry]:
        """Those below each folder of the name that exists: `a/1.mp4` must not become `b/1.mp4`."""
        folders = {part.casefold() for part in parts[:-1]} & self._tree.folders
        return [entry for entry in entries if folders <= {part.casefold() for part in entry.parts[:-1]}]

    def _best(self, parts: tuple[str, ...], entries: Sequence[Entry]) -> list[Entry]:
        ranks = [self._rank(parts, entry) for entry in entries]
        best = max(ranks)
        return [entry for entry, rank in zip(entries, ranks, strict=True) if rank == best]

    def _rank(self, parts: tuple[str, ...], entry: Entry) -> tuple[bool, bool, int, bool, int, bool, bool]:
        """How well it fits, best first: it is the path as given; case; the folders shared, from the last on; ..."""
        pairs = zip(reversed(parts[:-1]), reversed(entry.parts[:-1]), strict=False)
        num_shared = next((n for n, (a, b) in enumerate(pairs) if a.casefold() != b.casefold()), len(parts))
        path = entry.shown.casefold()
        matched = [n for n, pattern in enumerate(self._patterns) if fnmatchcase(path, pattern)]
        return (
            entry.parts == parts,
            parts[-1] == entry.stem or entry.parts[-1:] == parts[-1:] or os.path.splitext(parts[-1])[0] == entry.stem,
            min(num_shared, len(parts) - 1, max(0, len(entry.parts) - 1)),
            len(parts) > 1 and entry.parts[:-1] == parts[:-1],
            -matched[0] if matched else -len(self._patterns),
            entry.is_file,
            entry.parts[-1:] == parts[-1:],
        )

    def _only(self, name: str, entries: Sequence[Entry]) -> Entry:
        """One of ``entries``, which must be one or the same content several times."""
        entries = sorted(entries, key=lambda entry: entry.parts)
        if len(entries) > 1 and len({self._content(entry) for entry in entries}) > 1:
            candidates = tuple(entry.shown for entry in entries)
            more = f" and {len(candidates) - _MAX_SHOWN} more" if len(candidates) > _MAX_SHOWN else ""
            error = AmbiguousVideoError(
                f"{name!r} fits {len(candidates)} different videos under {self.root}: "
                f"{', '.join(candidates[:_MAX_SHOWN])}{more}; give the folder of one of them, or move the others away"
            )
            error.candidates = candidates
            raise error
        return entries[0]

    def _content(self, entry: Entry) -> str:
        try:
            return self.content(entry)
        except VideoError:  # what cannot be read is like nothing else
            return f"unreadable {entry.shown}"

    def _clips(self, name: str, parts: tuple[str, ...], stems: Sequence[str]) -> list[Entry]:
        """The clips of an episode in order: by the names of the clips, else all in the one folder of this name."""
        for index in (self._tree.episodes, self._tree.groups):
            found = [entry for stem in stems for entry in index.get(stem.casefold(), ())]
            if index is self._tree.groups and len({entry.parts[:-1] for entry in found}) > 1:
                found = self._best(parts, found)
            by_name: dict[str, list[Entry]] = {}
            for entry in self._below(parts, found):
                by_name.setdefault(entry.stem.casefold(), []).append(entry)
            if by_name:
                clips = [self._only(f"{name}/{clips[0].stem}", clips) for clips in by_name.values()]
                return sorted(clips, key=lambda entry: natural_key(entry.stem))
        return []

    # ------------------------------------------------------------------------------------------------- scanning

    def _scan(self) -> Iterator[Entry]:
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            found, folders = self._list(parts)
            yield from found
            waiting += folders

    def _list(self, parts: tuple[str, ...]) -> tuple[list[Entry], list[tuple[str, ...]]]:
        """The videos in one folder and its folders. One that cannot be read holds nothing."""
        found: list[Entry] = []
        folders: list[tuple[str, ...]] = []
        num_frames = 0
        try:
            with os.scandir(self.root.joinpath(*parts)) as listing:
                for item in listing:
                    if item.name.startswith(".") or item.name.lower().endswith(_UNFINISHED):
                        continue
                    if frame_number(item.name) is not None:
                        num_frames += 1
                        if num_frames >= _ENOUGH_FRAMES and not found and not folders:
                            break
                    elif (stem := _stem(item.name, self._suffixes)) is not None and item.is_file():
                        found.append(Entry((*parts, item.name), stem, True))
                    elif item.is_dir(follow_symlinks=False):
                        folders.append((*parts, item.name))
                    elif item.is_symlink() and item.is_dir():
                        self.links.append(Path(item.path))
        except OSError:
            return found, folders
        if num_frames and self._frames and not found and not folders:
            found.append(Entry(parts, parts[-1] if parts else self.root.absolute().name, False))
        return found, folders

    def _add(self, entry: Entry) -> None:
        tree = self._tree
        tree.by_stem.setdefault(entry.stem.casefold(), []).append(entry)
        tree.folders.update(part.casefold() for part in entry.parts[:-1])
        if not entry.is_file and entry.parts:
            above = entry.parts[-2] if len(entry.parts) > 1 else self.root.absolute().name
            tree.groups.setdefault(above.casefold(), []).append(entry)
        if entry.is_file != self._frames and (episode := clip_episode(entry.stem)):
            tree.episodes.setdefault(episode.casefold(), []).append(entry)


class VideoFinder(Finder):
    """The videos under ``root``: files, folders of numbered pictures, and episodes, the folders of whose clips lie side
    by side: a small file in the cache that `Video.open` reads stands for one. ``frame_fps`` is the rate of the frames
    that make up an episode. The rest as for `Finder`."""

    def __init__(self, root: Path, *, patterns: Sequence[str] = (), frame_fps: float = 3.0) -> None:
        super().__init__(root, VIDEO_SUFFIXES, patterns=patterns, frames=True)
        self._frame_fps = frame_fps
        self._made: dict[str, Path] = {}

    def join(self, name: str, clips: Sequence[Entry]) -> Path:
        data = episode_json([(clip.stem, self.place(clip).absolute()) for clip in clips], self._frame_fps)
        key = digest(data.decode())[:16]
        if key not in self._made:
            path = cache_dir("episodes", key) / f"{name}{EPISODE_SUFFIX}"
            if not path.exists():
                write_atomic(path, data)
            self._made[key] = path
        return self._made[key]

    def content(self, entry: Entry) -> str:
        if entry.is_file:
            return super().content(entry)
        return probe_frames(self.place(entry), self._frame_fps).info.fingerprint


def clip_episode(clip: str) -> str | None:
    """The episode that a clip is of by its name; None for other names."""
    found = _CLIP.fullmatch(clip)
    return found["episode"] if found else None


def _stem(name: str, suffixes: Collection[str]) -> str | None:
    """The name without its extension; None where that is none of ``suffixes``."""
    if suffixes is VIDEO_SUFFIXES and name.endswith(EPISODE_SUFFIX):
        return name.removesuffix(EPISODE_SUFFIX)
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in suffixes else None


def spellings(last: str, suffixes: Collection[str] = VIDEO_SUFFIXES) -> Iterator[tuple[str, ...]]:
    """Stems that the last part of a name may mean; the later are tried where the earlier give nothing."""
    stem = _stem(last, suffixes)
    stems = (last,) if stem is None else (last, stem)
    yield stems
    if last.casefold().startswith(_FIRST_SHOW):
        yield tuple(stem[len(_FIRST_SHOW) :] for stem in stems)


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path from data, without what could lead out of the root: drives, roots, ``.`` and ``..``."""
    if "\0" in name:
        return ()
    name = re.sub(r"^[A-Za-z]:(?=[\\/])", "", name.strip()).replace("\\", "/")
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)
