"""Where the answers of questions are, as found beforehand: LongVideoAgent's offline grounding cache, read and written.

The file is a JSON object of entries ``{"question": ..., "clip": ...}`` by some key. Ours are by the question's id and
hold it as ``qid`` too; a grounding that failed is no entry, and is listed in a file of its own. No gold is in either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import ConfigError
from ..scoring.grounding import same_clip
from ..store import write_atomic
from ..types import JSON
from .data.placing import chapters_of
from .items import Item
from .regrade import Opened

__all__ = ["GroundCache", "Grounded", "failures_path", "first_clips", "read_ground_cache", "write_ground_cache"]


@dataclass(frozen=True, slots=True)
class GroundCache:
    """Clips by question id, and by question text for entries that name no id."""

    by_id: Mapping[str, str]
    by_question: Mapping[str, tuple[str, ...]]

    def clips(self, item: Item) -> tuple[str, ...]:
        """What the cache says of ``item``; several where questions of the same words are in it."""
        if (own := self.by_id.get(item.sample.id)) is not None:
            return (own,)
        return self.by_question.get(_plain(item.sample.question), ())


def read_ground_cache(path: Path) -> GroundCache:
    """Raises `ConfigError` for a file that is no grounding cache. Entries without a clip are failures, and left out."""
    try:
        value: Any = orjson.loads(path.read_bytes())
    except OSError as e:
        raise ConfigError(
            f"the grounding cache {path} cannot be read: {e.strerror}; longtake eval ground-cache makes one"
        ) from e
    except orjson.JSONDecodeError as e:
        raise ConfigError(f"the grounding cache {path} is not JSON: {e}") from e
    entries = list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise ConfigError(f'the grounding cache {path} is no object of entries {{"question": ..., "clip": ...}}')
    by_id, by_question = dict[str, str](), dict[str, tuple[str, ...]]()
    for number, entry in enumerate(cast("list[Any]", entries), 1):
        match entry:
            case {"clip": str(clip), "qid": str() | int() as id_} if clip.strip():
                by_id[str(id_)] = clip.strip()
            case {"clip": str(clip), "question": str(question)} if clip.strip():
                by_question[_plain(question)] = (*by_question.get(_plain(question), ()), clip.strip())
            case {"clip": _, "question": _} | {"status": _}:
                continue
            case _:
                raise ConfigError(f"entry {number} of the grounding cache {path} has no question and clip")
    return GroundCache(by_id, by_question)


def first_clips(cache: GroundCache, items: Sequence[Item], frame_fps: float | None) -> dict[str, str]:
    """Question id -> the chapter of its video where its run begins.

    Not in it: questions that the cache does not know, or knows by text alone and with several clips of their video; and
    clips that are not in the video."""
    ids = dict[str, Sequence[str]]()
    found = dict[str, str]()
    for item in items:
        video, named = item.sample.video, cache.clips(item)
        if not video or not named:
            continue
        if video not in ids:
            ids[video] = [chapter.id for chapter in chapters_of(Path(video), frame_fps)]
        fitting = {chapter for chapter in ids[video] if any(same_clip(chapter, clip) for clip in named)}
        if len(fitting) == 1:
            found[item.sample.id] = fitting.pop()
    return found


def failures_path(path: Path) -> Path:
    """Where the groundings that failed are listed: ``cache.json`` -> ``cache.failed.json``."""
    return path.with_name(f"{path.stem}.failed.json")


@dataclass(frozen=True, slots=True)
class Grounded:
    """``failed``: question id -> why no clip is known for it."""

    num_found: int
    failed: Mapping[str, str]


def write_ground_cache(opened: Opened, path: Path) -> Grounded:
    """Writes what a run of the agent `ground` found, and beside it what failed. Entries of other questions that the
    file holds already are kept. Raises `StoreError`, and `ConfigError` for a file that is something else."""
    entries = _entries_of(path)
    failed, failures = dict[str, str](), dict[str, JSON]()
    known = dict[str, frozenset[str]]()
    num_found = 0
    for item in opened.items.values():
        sample, ended = item.sample, opened.ended.get((item.sample.id, 0))
        trace = ended.trace if ended is not None else None
        clip = trace.answer.text if trace is not None and trace.answer is not None else None
        asked: dict[str, JSON] = {"qid": sample.id, "question": sample.question, "episode": item.video_name}
        if trace is not None and sample.video not in known:
            known[sample.video] = frozenset(chapter.id for chapter in trace.video.chapters)
        if trace is not None and clip in known[sample.video]:
            num_found += 1
            raw = trace.turns[-1].output.text
            entries[sample.id] = {**asked, "clip": clip, "status": "ok", "raw_response": raw, "model": trace.model}
            continue
        entries.pop(sample.id, None)
        why = (ended.error if ended is not None else None) or "not asked yet"
        failed[sample.id] = why if clip is None else f"it named {clip!r}, which is no clip of the video"
        failures[sample.id] = {**asked, "error": failed[sample.id]}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, orjson.dumps(entries, option=orjson.OPT_INDENT_2))
    if failures:
        write_atomic(failures_path(path), orjson.dumps(failures, option=orjson.OPT_INDENT_2))
    else:
        failures_path(path).unlink(missing_ok=True)
    return Grounded(num_found, failed)


def _entries_of(path: Path) -> dict[str, JSON]:
    if not path.exists():
        return {}
    read_ground_cache(path)
    value: Any = orjson.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise ConfigError(f"the grounding cache {path} is a list; give another file to write to")
    return cast("dict[str, JSON]", value)


def _plain(question: str) -> str:
    return " ".join(question.split())
