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
    clips_of,
    given,
    known_type,
    read_item,
    rows_of,
    rows_of_clips,
    step_5,
    step_6,
    text_source,
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
    steps = [source(), clips_of(), caption_step(model, settings or Settings())]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        files = list[Path]()
        for record in records:
            one = record.read(Caption)
            is_clip = "spans" in record.find("root").value
            name = clip_name(file_stem(record.video), one.start_time) if is_clip else file_stem(record.video)
            files.append(_put(output_dir / f"{name}.json", pretty({name: one.caption})))
        if clips:
            files.append(_put(output_dir / INDEX, write_index(clips)))
        return files

    return SeedCommand("caption", video_dir, roots, steps, write)


def merge_captions(input_dir: Path, output_file: Path) -> SeedCommand:
    """Step 3. Writes one list of ``{"id", "captions": [{"start_time", "end_time", "caption"}]}``."""
    found = read_clip_captions(input_dir)
    if not found:
        raise ConfigError(f"there are no captions in {input_dir}; give the --output_dir of longtake data caption")
    roots: list[Row] = [
        (video, video, {"source": text_source(video, captions), "caption": [dict(as_value(one)) for one in captions]})
        for video, captions in found.items()
    ]
    steps = [given("source"), given("caption", many=True), merge(min_captioned_share=0.0)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_file, write_merged(record.read(CaptionedVideo) for record in records))]

    return SeedCommand("merge", input_dir, roots, steps, write)


def write_questions(captions: Path, output_folder: Path, model: Model, settings: Settings | None = None) -> SeedCommand:
    """Step 4. Writes ``{video}.json`` = ``{"video_name", "captions", "reasoning"}`` for each question; from a video's
    second one on ``{video}_q2.json`` ..."""
    roots = [captioned_row(video.id, video) for video in read_merged(captions) if video.captions]
    steps = [given("source"), given("merge"), *question_steps(model, settings or Settings())]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        files = list[Path]()
        for record, stem in zip(records, unique_stems([record.video for record in records]), strict=True):
            value: JSON = {
                "video_name": record.video,
                "captions": captions_text(record.find("merge").read(CaptionedVideo).captions),
                "reasoning": record.read(Reply).reply,
                "question_type": record.find("plan").read(Planned).question_type,
            }
            files.append(_put(output_folder / f"{stem}.json", pretty(value)))
        return files

    return SeedCommand("reason", captions.parent, roots, steps, write)


def parse_replies(
    input_dir: Path, output_file: Path, model: Model | None = None, settings: Settings | None = None
) -> SeedCommand:
    """Step 5. Writes one list of ``{"QUESTION", "OPTIONS", "ANSWER", "REASONS", "video_name"}``. With ``model``,
    replies that cannot be used are mended by it."""
    repairs = (settings or Settings()).repairs
    roots = list[Row]()
    for path in sorted(input_dir.glob("*.json")):
        value = read_json(path)
        held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if not isinstance(held.get("video_name"), str) or not isinstance(held.get("reasoning"), str):
            raise ConfigError(f'{path} is not a reply; it has the form {{"video_name", "captions", "reasoning"}}')
        video = CaptionedVideo(held["video_name"], read_captions_text(str(held.get("captions", ""))))
        planned = Planned(known_type(held.get("question_type")), 1)
        more: Value = {"plan": dict(as_value(planned)), "reason": {"reply": held["reasoning"]}}
        roots.append(captioned_row(path.stem, video, more))
    if not roots:
        raise ConfigError(f"there are no replies in {input_dir}; give the --output_folder of longtake data reason")
    steps = [given(name) for name in ("source", "merge", "plan", "reason")] + [parse(model, repairs=repairs)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_file, pretty([step_5(record) for record in records]))]

    return SeedCommand("parse", input_dir, roots, steps, write)


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
    roots = list[Row]()
    for number, (item, stem) in enumerate(zip(held, stems, strict=True)):
        more: Value = {"item": item, "number": number, "file": f"{stem}.json"}
        roots.append(captioned_row(f"{number:06d}", CaptionedVideo(item["video_name"], ()), more))
    steps = [given("source"), given("merge"), read_item(), reformat(model, repairs=(settings or Settings()).repairs)]

    def write(records: Sequence[Record], run: Path) -> list[Path]:
        return [_put(output_dir / str(record.find("root").value["file"]), pretty(step_6(record))) for record in records]

    return SeedCommand("reformat", input_json.parent, roots, steps, write)


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
