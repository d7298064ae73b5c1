"""The command line: reads arguments, calls the core, prints. It holds no behaviour of its own.

Exit codes: 0 answered or done, 1 failed, 2 wrong usage, 3 abstained.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from ..clock import clock
from ..errors import ConfigError, LongtakeError, SpanError
from ..types import Trace
from .arguments import new_run_folder, read_arguments, split_choices
from .data import data_app
from .eval_seeds import add_to as add_seeds_to
from .evaluation import eval_app
from .looking import JsonOption, VideoArgument, add_to
from .show import LiveRun, answer_json, cost_line, print_answer
from .terminal import err, out, print_json, progress

if TYPE_CHECKING:
    from .demo.answers import DemoAnswer

__all__ = ["app", "main"]

app = typer.Typer(
    name="longtake",
    help="Answer questions about long videos and show where the answer is.",
    epilog="Exit codes: 0 answered or done, 1 failed, 2 wrong usage, 3 abstained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        out.print(f"longtake {metadata.version('longtake')}")
        raise typer.Exit


@app.command(
    epilog="""[bold]Examples[/]\n
longtake ask talk.mp4 "Who gives the talk?"\n
longtake ask film.mkv "What does she drop?" --choices "a key|a letter|a ring" --model openai:gpt-5-mini\n
longtake ask film.mkv "When does the red car stop?" --model openai:Qwen/Qwen3-VL-8B-Instruct --base-url http://localhost:8000/v1\n
longtake ask show.mp4 "Why is he late?" --agent team --model openai:A --vision-model openai:B --json""",
)
def ask(
    video: VideoArgument,
    question: Annotated[str, typer.Argument(help="What to find out.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(
            help="reader (default: rules, reads words, needs nothing), openai:NAME, ollama:NAME, scripted:FILE."
        ),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="crop (default: looks closer by tools), direct (one look), team.")
    ] = None,
    subtitles: Annotated[
        Path | None, typer.Option(help="A subtitle file; found beside or inside the video by itself.")
    ] = None,
    choices: Annotated[str | None, typer.Option(help='Options of a multiple-choice question: "a cat|a dog".')] = None,
    grounding_model: Annotated[str | None, typer.Option(help="team: the model that finds the clip.")] = None,
    vision_model: Annotated[str | None, typer.Option(help="team: the model that looks at it.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="The endpoint of openai: models. Keys come from OPENAI_API_KEY.")
    ] = None,
    max_turns: Annotated[int | None, typer.Option(help="How often the model may speak.")] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the overview; 0 for none.")] = None,
    fps: Annotated[float | None, typer.Option(help="Overview frames a second, up to --frames.")] = None,
    max_pixels: Annotated[int | None, typer.Option(help="Pixels a frame may have.")] = None,
    asr: Annotated[bool, typer.Option("--asr", help="Also listen to the speech (needs the asr extra).")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings as TOML; options given here stand above it.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any setting: cache=false, agent_options.crop_fps=2, model_options.timeout_seconds=60.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for the trace and the contact sheet of the evidence.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a question about a video."""
    from ..agents.ask import ask_async, read_settings

    given = {
        "model": model,
        "agent": agent,
        "grounding_model": grounding_model,
        "vision_model": vision_model,
        "base_url": base_url,
        "max_turns": max_turns,
        "frames": frames,
        "fps": fps,
        "max_pixels": max_pixels,
        "asr": asr or None,
    }
    settings = read_settings(read_arguments(config, {k: v for k, v in given.items() if v is not None}, set_ or []))
    folder = save or new_run_folder(video)
    with LiveRun(err).showing() as live:
        run = ask_async(
            video,
            question,
            choices=split_choices(choices),
            subtitles=subtitles,
            settings=settings,
            save=folder,
            on_event=live,
        )
        try:
            trace = asyncio.run(run)
        except KeyboardInterrupt:
            kept = f"; the turns until here are in {folder}/trace.json" if (folder / "trace.json").exists() else ""
            _fail(f"interrupted{kept}", 130)
    if as_json:
        print_json(answer_json(trace, str(folder / "trace.json")))
    else:
        print_answer(trace, out)
        out.print(f"[dim]{cost_line(trace)}[/]", soft_wrap=True)
        sheet = ", evidence.jpg" if (folder / "evidence.jpg").exists() else ""
        out.print(f"[dim]{escape(str(folder))}/trace.json{sheet}[/]", soft_wrap=True)
    raise typer.Exit(_exit_code(trace))


@app.command(epilog="[bold]Example[/]\n\nlongtake demo --folder try-it --json")
def demo(
    folder: Annotated[Path, typer.Option(help="Where the sample video and the runs go.")] = Path("longtake-demo"),
    as_json: JsonOption = False,
) -> None:
    """Make a ten-minute sample video, ask it three questions, show the answers beside the truth."""
    from ..video.ocr import available
    from .demo.answers import DemoAnswer, ask_demo, demo_json
    from .demo.video import make_demo_video

    if not available():
        err.print("the ocr extra is not installed, so writing in the picture cannot be read: one question needs it")
    err.print(f"making a ten-minute sample video in {folder}/")
    with progress("drawing and encoding") as advance:
        video = make_demo_video(folder, on_progress=advance)
    answers = list[DemoAnswer]()
    for sample in video.questions:
        err.print(f"\n[bold]question[/]  {escape(sample.question)}  {' | '.join(sample.choices)}", soft_wrap=True)
        with LiveRun(err).showing() as live:
            answers.append(ask_demo(sample, folder, on_event=live))
        if not as_json:
            _print_demo_answer(answers[-1])
    if as_json:
        print_json([demo_json(answer) for answer in answers])
    else:
        out.print(f'\nAsk it something yourself: longtake ask {video.path} "..."', soft_wrap=True)
    if not all(answer.span_is_right and answer.score.value == 1.0 for answer in answers):
        raise typer.Exit(1)


add_to(app)
add_seeds_to(eval_app)
app.add_typer(data_app, name="data")
app.add_typer(eval_app, name="eval")


@app.command(epilog="[bold]Example[/]\n\nOPENAI_BASE_URL=http://localhost:8000/v1 longtake doctor")
def doctor(as_json: JsonOption = False) -> None:
    """Check what longtake needs and what it may use, and say what to do about the rest."""
    from .doctor import check_all

    checks = check_all()
    if as_json:
        print_json(
            [{"what": check.what, "ok": check.ok, "found": check.found, "next": check.next_step} for check in checks]
        )
    else:
        for check in checks:
            mark = {True: "[green]ok[/]  ", False: "[red]FAIL[/]", None: "[dim]--[/]  "}[check.ok]
            line = f"{check.what}: {check.found}{f'. {check.next_step}' if check.next_step else ''}"
            out.print(f"{mark} {escape(line)}", soft_wrap=True)
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------------------ printing


def _exit_code(trace: Trace) -> int:
    if trace.answer is not None:
        return 0
    return 3 if trace.stop_reason == "abstained" else 1


def _print_demo_answer(answer: DemoAnswer) -> None:
    true = answer.sample.target_spans[0]
    verdict = "right" if answer.score.value == 1.0 else "not right"
    place = "its span contains the true moment" if answer.span_is_right else "its span misses the true moment"
    print_answer(answer.trace, out)
    out.print(f"truth   {answer.truth}  ({clock(true.start)} - {clock(true.end)})", soft_wrap=True)
    out.print(f"        the answer is {verdict}; {place}", soft_wrap=True)
    out.print(f"[dim]        {cost_line(answer.trace)}[/]", soft_wrap=True)


def main() -> NoReturn:
    """Runs the command line; every error of longtake is one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow encoding must not lose the answer
    try:
        app()
    except (ConfigError, SpanError) as e:
        _fail(str(e), 2)
    except LongtakeError as e:
        _fail(str(e), 1)
    except KeyboardInterrupt:
        _fail("interrupted; what was finished is saved", 130)
    except OSError as e:
        if e.filename is not None:
            _fail(f"{e.filename}: {e.strerror}; give another file or folder", 1)
        raise SystemExit(f"error  cannot print: {e.strerror}") from e  # the terminal or file that is printed to
    raise SystemExit(0)


def _fail(message: str, code: int) -> NoReturn:
    err.print(f"[bold red]error[/]  {escape(' '.join(message.split()))}", soft_wrap=True)
    raise SystemExit(code)
