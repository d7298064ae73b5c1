"""The six scripts of LongVideo-Reason as commands on our engine: the same files in and out, other insides.

A command says what the records are that its files hold, which steps they go through and which files come of them.
Running them, and keeping what they made, is the engine's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...errors import ConfigError, StoreError
from ...store import write_atomic
from ...types import JSON, Model
from ..recipes.longvideo_reason import Settings, caption_step, question_steps
from ..sources import list_videos, root_of, source
from ..step import Record, Step, Value
from ..steps.caption import merge
from ..steps.parse import parse
from ..steps.reason import Planned, Reply
from ..steps.reformat import reformat
from ..steps.split import split
from ..values import Caption, CaptionedVideo, Clip, Source, as_value
from .files import (
    INDEX,
    IndexedClip,
    captions_text,
    clip_name,
    file_stem,
    pretty,
    read_captions_text,
    read_clip_captions,
    read_index,
    read_json,
    read_merged,
    unique_stems,
    write_index,
    write_merged,
)
from .rows import (
    Row,
    captioned_row,
    captions_row,
    clips_of,
    given,
    known_type,
    merged,
    problem_row,
    read_item,
    rows_of,
    rows_of_clips,
    screened,
    step_5,
    step_6,
)

__all__ = [
    "SeedCommand",
    "caption_clips",
    "merge_captions",
    "parse_replies",
    "reformat_questions",
    "split_videos",
    "write_questions",
]


@dataclass(frozen=True, slots=True)
class SeedCommand:
    """``videos`` is the folder the paths of videos begin in. ``write(records, run)`` writes what came out of the last
    step (of the run in the folder ``run``) and gives back the files."""

    name: str
    videos: Path
    roots: Sequence[Row]
    steps: Sequence[Step]
    write: Callable[[Sequence[Record], Path], list[Path]]


def split_videos(
    input_dir: Path,
    output_dir: Path,
    *,
    clip_duration: float = 10.0,
    scenes: bool = False,
    materialize: bool = False,
) -> SeedCommand:
    """Step 1. Writes the index ``clips.jsonl`` of the clips, and with ``materialize`` each as
    ``{video}_{start:04d}.mp4``."""
    videos = root_of(input_dir)
    steps = [source(), split(clip_seconds=clip_duration, scenes=scenes, materialize=materialize)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        clips, files = list[IndexedClip](), list[Path]()
        for record in records:
            clip, video = record.read(Clip), record.find("source").read(Source)
            name = clip_name(file_stem(video.id), clip.span.start)
            path = os.path.relpath(videos / video.video, output_dir.resolve())
            file = None
            if clip.file is not None:
                file = name + Path(clip.file).suffix
                _link(run / clip.file, output_dir / file)
                files.append(output_dir / file)
            clips.append(IndexedClip(name, video.id, Path(path).as_posix(), clip.span, file))
        return [*files, _put(output_dir / INDEX, write_index(clips))]

    return SeedCommand("split", videos, rows_of(list_videos(input_dir)), steps, write)


def caption_clips(video_dir: Path, output_dir: Path, model: Model, settings: Settings | None = None) -> SeedCommand:
    """Step 2. Writes ``{clip}.json`` = ``{clip: caption}`` for each clip of the index in ``video_dir``, or for each
    video file there if it has none. The index goes with the captions, so that merging knows when each clip is."""
    index = video_dir / INDEX
    clips = read_index(index) if index.exists() else []
    roots = rows_of_clips(clips, video_dir) if clips else rows_of(list_videos(video_dir), keep_same=True)
    steps = [source(), clips_of(clips), caption_step(model, settings or Settings())]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        files = list[Path]()
        for record in records:
            one = record.read(Caption)
            name = clip_name(file_stem(record.video), one.start_time) if clips else file_stem(record.video)
            files.append(_put(output_dir / f"{name}.json", pretty({name: one.caption})))
        if clips:
            files.append(_put(output_dir / INDEX, write_index(clips)))
        return files

    return SeedCommand("caption", video_dir, roots, steps, write)


def merge_captions(input_dir: Path, output_file: Path) -> SeedCommand:
    """Step 3. Writes one list of ``{"id", "captions": [{"start_time", "end_time", "caption"}], "video"}``. What is no
    caption is left out: files that cannot be read, refusals, error messages."""
    found, problems = read_clip_captions(input_dir)
    if not found:
        raise ConfigError(f"there are no captions in {input_dir}; give the --output_dir of longtake data caption")
    roots = [*map(captions_row, found), *(problem_row(file, problem) for file, problem in problems.items())]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_file, write_merged(merged(record) for record in records))]

    return SeedCommand("merge", input_dir, roots, _captions_steps(), write)


def write_questions(captions: Path, output_folder: Path, model: Model, settings: Settings | None = None) -> SeedCommand:
    """Step 4. Writes ``{video}.json`` = ``{"video_name", "captions", "reasoning"}`` for each question; from a video's
    second one on ``{video}_q2.json`` ..."""
    roots = [captions_row(video) for video in read_merged(captions)]
    steps = [*_captions_steps(), *question_steps(model, settings or Settings())]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        files = list[Path]()
        for record, stem in zip(records, unique_stems([record.video for record in records]), strict=True):
            value: JSON = {
                "video_name": record.video,
                "captions": captions_text(record.find("merge").read(CaptionedVideo).captions),
                "reasoning": record.read(Reply).reply,
                "question_type": record.find("plan").read(Planned).question_type,
                "video": record.find("source").read(Source).video,
            }
            files.append(_put(output_folder / f"{stem}.json", pretty(value)))
        return files

    return SeedCommand("reason", captions.parent, roots, steps, write)


def parse_replies(
    input_dir: Path, output_file: Path, model: Model | None = None, settings: Settings | None = None
) -> SeedCommand:
    """Step 5. Writes one list of ``{"QUESTION", "OPTIONS", "ANSWER", "REASONS", "video_name"}``. With ``model``,
    replies that cannot be used are mended by it. A file that holds no reply is left out."""
    repairs = (settings or Settings()).repairs
    rows = {path.name: _reply_row(path) for path in sorted(input_dir.glob("*.json"))}
    roots = [problem_row(file, row) if isinstance(row, str) else row for file, row in rows.items()]
    if all(isinstance(row, str) for row in rows.values()):
        raise ConfigError(
            f"there are no replies in {input_dir} ({next(iter(rows.values()), 'no JSON file')}); give the"
            " --output_folder of longtake data reason"
        )
    steps = [given(name) for name in ("source", "merge", "plan", "reason")] + [parse(model, repairs=repairs)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_file, pretty([step_5(record) for record in records]))]

    return SeedCommand("parse", input_dir, roots, steps, write)


def _reply_row(path: Path) -> Row | str:
    """What is in a file of step 4, or what is wrong with it."""
    try:
        value = read_json(path)
    except ConfigError as e:
        return str(e).replace(str(path), path.name)
    held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if not isinstance(held.get("video_name"), str) or not isinstance(held.get("reasoning"), str):
        return f'{path.name} is not a reply; it has the form {{"video_name", "captions", "reasoning"}}'
    video = CaptionedVideo(held["video_name"], read_captions_text(str(held.get("captions", ""))))
    planned = Planned(known_type(held.get("question_type")), 1)
    more: Value = {"plan": dict(as_value(planned)), "reason": {"reply": held["reasoning"]}}
    return captioned_row(path.stem, video, held.get("video"), more)


def reformat_questions(
    input_json: Path, output_dir: Path, model: Model, settings: Settings | None = None
) -> SeedCommand:
    """Step 6. Writes a file a question: ``problem_id``, ``data_type``, ``videos``, ``problem`` (with its options),
    ``problem_type``, ``reasoning``, ``answer``."""
    value = read_json(input_json)
    items = cast("list[object]", value) if isinstance(value, list) else []
    held = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
    if len(held) != len(items) or not all(isinstance(item.get("video_name"), str) for item in held) or not held:
        raise ConfigError(f'{input_json} is not a list of questions, each with a "video_name"')
    stems = unique_stems([item["video_name"] for item in held])
    roots = [
        captioned_row(stem, CaptionedVideo(item["video_name"], ()), item.get("video"), {"item": item})
        for item, stem in zip(held, stems, strict=True)
    ]
    numbers = {stem: number for number, stem in enumerate(stems)}
    steps = [given("source"), given("merge"), read_item(), reformat(model, repairs=(settings or Settings()).repairs)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_dir / f"{one.id}.json", pretty(step_6(one, numbers[one.id]))) for one in records]

    return SeedCommand("reformat", input_json.parent, roots, steps, write)


def _captions_steps() -> list[Step]:
    """From captions as files have them to the `CaptionedVideo`."""
    return [given("source"), given("captions", many=True), screened(), merge(min_captioned_share=0.0)]


def _put(path: Path, data: bytes) -> Path:
    write_atomic(path, data)
    return path


def _link(made: Path, path: Path) -> None:
    """``path`` becomes the file ``made``, without a copy where the disk can."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(made)
        except OSError:
            shutil.copyfile(made, path)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}") from e
