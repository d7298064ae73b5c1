"""``longtake data split | caption | merge | reason | parse | reformat``: LongVideo-Reason's six scripts, argument by
argument, on the engine of ``longtake data run``: they resume, and what a script would lose is counted and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import read_arguments
from .data_status import show_status
from .show import plural
from .steps_progress import StepBars
from .terminal import err, out, until_done

if TYPE_CHECKING:
    from ..datagen.recipes.longvideo_reason import Settings
    from ..datagen.scripts.commands import SeedCommand
    from ..types import Model

__all__ = ["add_steps"]

InFlight = Annotated[int, typer.Option("--in-flight", "--in_flight", help="Records at work at once.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model", "--model_path", "--model-path", help="reader, openai:NAME, ollama:NAME, scripted:FILE, as in run."
    ),
]
UrlOption = Annotated[str | None, typer.Option("--base-url", "--base_url", help="The endpoint of openai: models.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A setting of the recipe: caption_fps=4.")]
OutputDir = Annotated[Path, typer.Option("--output_dir", "--output-dir", show_default=False)]
OutputFile = Annotated[Path, typer.Option("--output_file", "--output-file", show_default=False)]


def add_steps(app: typer.Typer) -> None:
    """Registers the commands."""
    for command, example in (
        (split, "split --input_dir films --output_dir clips --clip_duration 10"),
        (caption, "caption --model openai:EYES --video_dir clips --output_dir captions"),
        (merge, "merge --input_dir captions --output_file merged.json"),
        (reason, "reason --model openai:BRAIN --captions merged.json --output_folder replies"),
        (parse, "parse --input_dir replies --output_file parsed.json"),
        (reformat, "reformat --model openai:BRAIN --input_json parsed.json --output_dir questions"),
    ):
        app.command(epilog=f"[bold]Example[/]\n\nlongtake data {example}", rich_help_panel="One step")(command)


def split(
    input_dir: Annotated[Path, typer.Option("--input_dir", "--input-dir", help="Videos.", show_default=False)],
    output_dir: OutputDir,
    clip_duration: Annotated[
        float, typer.Option("--clip_duration", "--clip-duration", help="Seconds; with --scenes the most.")
    ] = 10.0,
    scenes: Annotated[bool, typer.Option("--scenes", help="Clips begin and end where scenes do.")] = False,
    materialize: Annotated[bool, typer.Option("--materialize", help="Write a file for every clip.")] = False,
) -> None:
    """Step 1: divide videos into clips. Writes clips.jsonl, and with --materialize the clip files."""
    from ..datagen.scripts.commands import split_videos

    _run(
        split_videos(input_dir, output_dir, clip_duration=clip_duration, scenes=scenes, materialize=materialize),
        output_dir,
    )


def caption(
    video_dir: Annotated[
        Path, typer.Option("--video_dir", "--video-dir", help="What split wrote, or clip files.", show_default=False)
    ],
    output_dir: OutputDir,
    model: ModelOption = "reader",
    base_url: UrlOption = None,
    in_flight: InFlight = 64,
    set_: SetOption = None,
) -> None:
    """Step 2: caption every clip. Writes {clip}.json."""
    from ..datagen.scripts.commands import caption_clips

    eyes = _model(model, base_url)
    _run(caption_clips(video_dir, output_dir, eyes, _settings(set_)), output_dir, eyes, in_flight)


def merge(
    input_dir: Annotated[
        Path, typer.Option("--input_dir", "--input-dir", help="What caption wrote.", show_default=False)
    ],
    output_file: OutputFile,
) -> None:
    """Step 3: the captions of each video in order of time, in one JSON file."""
    from ..datagen.scripts.commands import merge_captions

    _run(merge_captions(input_dir, output_file), output_file.parent)


def reason(
    captions: Annotated[
        Path, typer.Option("--captions", "--input_file", "--input-file", help="What merge wrote.", show_default=False)
    ],
    output_folder: Annotated[
        Path, typer.Option("--output_folder", "--output-folder", "--output_dir", "--output-dir", show_default=False)
    ],
    model: ModelOption = "reader",
    base_url: UrlOption = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", "--max_new_tokens")] = 32768,
    temperature: Annotated[float, typer.Option("--temperature")] = 0.6,
    in_flight: InFlight = 64,
    set_: SetOption = None,
) -> None:
    """Step 4: a reasoning model writes questions with their reasoning. Writes a JSON file a question."""
    from ..datagen.scripts.commands import write_questions

    writer = _model(model, base_url)
    settings = _settings([f"max_tokens={max_new_tokens}", f"temperature={temperature}", *(set_ or [])])
    _run(write_questions(captions, output_folder, writer, settings), output_folder, writer, in_flight)


def parse(
    input_dir: Annotated[
        Path, typer.Option("--input_dir", "--input-dir", help="What reason wrote.", show_default=False)
    ],
    output_file: OutputFile,
    model: Annotated[
        str | None, typer.Option("--model", help="Mends replies that cannot be read; without it they are left out.")
    ] = None,
    base_url: UrlOption = None,
    in_flight: InFlight = 64,
    set_: SetOption = None,
) -> None:
    """Step 5: read the replies, strictly. Writes one JSON list."""
    from ..datagen.scripts.commands import parse_replies

    mender = _model(model, base_url) if model else None
    _run(parse_replies(input_dir, output_file, mender, _settings(set_)), output_file.parent, mender, in_flight)


def reformat(
    input_json: Annotated[
        Path, typer.Option("--input_json", "--input-json", help="What parse wrote.", show_default=False)
    ],
    output_dir: OutputDir,
    model: ModelOption = "reader",
    base_url: UrlOption = None,
    in_flight: InFlight = 64,
    set_: SetOption = None,
) -> None:
    """Step 6, optional: have the reasoning rewritten as fluent text. Writes a JSON file a question."""
    from ..datagen.scripts.commands import reformat_questions

    writer = _model(model, base_url)
    _run(reformat_questions(input_json, output_dir, writer, _settings(set_)), output_dir, writer, in_flight)


def _model(spec: str, base_url: str | None) -> Model:
    from ..models.base import load_model

    return load_model(spec, base_url=base_url if spec.startswith("openai") else None, cache=False)


def _settings(assignments: list[str] | None) -> Settings:
    from ..datagen.recipe import checked_settings
    from ..datagen.recipes.longvideo_reason import Settings

    return checked_settings(Settings, read_arguments(None, {}, assignments or []))


def _run(command: SeedCommand, folder: Path, model: Model | None = None, in_flight: int = 64) -> None:
    """What it keeps for resuming is in a hidden folder beside its files."""
    from ..datagen.run import run_command
    from ..models.journaled import Limits

    run = folder / ".longtake" / command.name
    with StepBars(err).showing() as show:
        files = until_done(run_command(command, run, model=model, limits=Limits(in_flight), on_tally=show))
    out.print(f"{plural(len(files), 'file')} in {folder}", soft_wrap=True)
    show_status(run, ended=True)
