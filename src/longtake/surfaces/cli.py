"""The command line: reads arguments, calls the core, prints. It holds no behaviour of its own.

Exit codes: 0 answered or done, 1 failed, 2 wrong usage, 3 abstained.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ..clock import clock, parse_seconds
from ..errors import ConfigError, LongtakeError, SpanError
from ..types import Trace
from .arguments import local_path, new_run_folder, read_arguments, read_span, split_choices
from .show import LiveRun, answer_json, cost_line, describe_video, plural, print_answer

if TYPE_CHECKING:
    from .demo.answers import DemoAnswer

__all__ = ["app", "main"]

app = typer.Typer(
    name="longtake",
    help="Answer questions about long videos and show where the answer is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

VideoArgument = Annotated[str, typer.Argument(help="A video file; a URL if yt-dlp is installed.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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
        list[str] | None, typer.Option("--set", help="Any setting: temperature=0.7, agent_options.crop_fps=2.")
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
            _fail(f"interrupted; the turns until here are in {folder}/trace.json", 130)
    if as_json:
        _print_json(answer_json(trace, str(folder / "trace.json")))
    else:
        print_answer(trace, out)
        out.print(f"[dim]{cost_line(trace)}[/]", soft_wrap=True)
        out.print(f"[dim]{folder}/trace.json{', evidence.jpg' if trace.evidence else ''}[/]", soft_wrap=True)
    raise typer.Exit(_exit_code(trace))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the sample video and the runs go.")] = Path("longtake-demo"),
    as_json: JsonOption = False,
) -> None:
    """Make a ten-minute sample video, ask it three questions, show the answers beside the truth."""
    from .demo.answers import DemoAnswer, ask_demo, demo_json
    from .demo.video import make_demo_video

    err.print(f"making a ten-minute sample video in {folder}/")
    with _progress("drawing and encoding") as advance:
        video = make_demo_video(folder, on_progress=advance)
    answers = list[DemoAnswer]()
    for sample in video.questions:
        err.print(f"\n[bold]question[/]  {escape(sample.question)}  {' | '.join(sample.choices)}", soft_wrap=True)
        with LiveRun(err).showing() as live:
            answers.append(ask_demo(sample, folder, on_event=live))
        if not as_json:
            _print_demo_answer(answers[-1])
    if as_json:
        _print_json([demo_json(answer) for answer in answers])
    else:
        out.print(f'\nAsk it something yourself: longtake ask {video.path} "..."', soft_wrap=True)
    if not all(answer.span_is_right for answer in answers):
        raise typer.Exit(1)


@app.command()
def probe(video: VideoArgument, as_json: JsonOption = False) -> None:
    """What a video file is: length, size, tracks, and what is wrong with it."""
    from ..types import to_json
    from ..video.decode import Video

    opened = Video.open(local_path(video))
    if as_json:
        sys.stdout.write(to_json(opened.info, indent=2).decode() + "\n")
        return
    info = opened.info
    out.print(describe_video(info), soft_wrap=True)
    out.print(
        f"codec {info.codec}, {info.average_fps:.5g} frames a second, {len(opened.keyframe_seconds())} key frames"
    )
    out.print(f"audio {'yes' if info.has_audio else 'no'}")
    for track in info.subtitle_tracks:
        out.print(f"subtitles {track.codec} ({track.language or 'language not said'})")
    out.print(f"fingerprint {info.fingerprint}")
    for warning in info.warnings:
        out.print(f"[yellow]warning: {warning}[/]", soft_wrap=True)


@app.command(
    epilog="""[bold]Examples[/]\n
longtake frames film.mp4 --uniform 16\n
longtake frames film.mp4 --at 12.5 --at 1:02:03 --out frames/\n
longtake frames film.mp4 --span 12:00-12:30 --fps 2""",
)
def frames(
    video: VideoArgument,
    at: Annotated[list[str] | None, typer.Option(help="A time: seconds or h:mm:ss. May be repeated.")] = None,
    span: Annotated[str | None, typer.Option(help="A span: START-END.")] = None,
    uniform: Annotated[int | None, typer.Option(help="This many frames over the whole video.")] = None,
    fps: Annotated[float, typer.Option(help="With --span: frames a second.")] = 1.0,
    max_pixels: Annotated[int | None, typer.Option(help="Pixels a frame may have.")] = None,
    output: Annotated[
        Path, typer.Option("--out", help="A .jpg for a contact sheet, or a folder for one file a frame.")
    ] = Path("frames.jpg"),
) -> None:
    """Take frames out of a video, exactly at the times asked for."""
    from PIL import Image

    from ..store import write_atomic
    from ..video.decode import Video
    from ..video.sample import uniform as uniform_seconds
    from ..video.sheet import contact_sheet, jpeg

    if [bool(at), span is not None, uniform is not None].count(True) != 1:
        raise ConfigError("give one of --at TIME, --span START-END or --uniform N")
    opened = Video.open(local_path(video))
    if span is not None:
        found = opened.frames_in(read_span(span), fps=fps, max_pixels=max_pixels)
    elif at:
        found = opened.frames_at([parse_seconds(time_) for time_ in at], max_pixels=max_pixels)
    else:
        found = opened.frames_at(uniform_seconds(opened.span, uniform or 0), max_pixels=max_pixels)
    if output.suffix.lower() in (".jpg", ".jpeg"):
        write_atomic(output, jpeg(contact_sheet([(opened.path.name, found)])))
        out.print(f"{len(found)} frames on {output}")
        return
    for picture, seconds in zip(found.pixels, found.seconds, strict=True):
        write_atomic(output / f"{opened.path.stem}_{seconds:010.3f}.jpg", jpeg(Image.fromarray(picture), quality=95))
    out.print(f"{len(found)} frames in {output}/")


@app.command(
    epilog="""[bold]Examples[/]\n
longtake split film.mp4 --seconds 10\n
longtake split film.mp4 --scenes --exact --out scenes/""",
)
def split(
    video: VideoArgument,
    seconds: Annotated[float | None, typer.Option(help="Length of a clip; 10 if neither this nor --scenes.")] = None,
    scenes: Annotated[bool, typer.Option("--scenes", help="One clip a scene.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Cut at the frame and encode what that needs; else at key frames, copied.")
    ] = False,
    output: Annotated[Path, typer.Option("--out", help="Folder for the clips.")] = Path("clips"),
    as_json: JsonOption = False,
) -> None:
    """Cut a video into clips; every frame is in exactly one of them."""
    from ..video.cut import Clip, cut
    from ..video.cut import split as split_evenly
    from ..video.decode import Video
    from ..video.scenes import detect

    if scenes and seconds is not None:
        raise ConfigError("give --seconds or --scenes, not both")
    opened = Video.open(local_path(video))
    mode = "exact" if exact else "copy"

    def show(clip: Clip) -> None:
        err.print(f"{clip.path.name}  {plural(clip.num_frames, 'frame')}", soft_wrap=True)

    if scenes:
        clips = cut(opened, detect(opened), output, mode=mode, on_clip=show)
    else:
        clips = split_evenly(opened, output, seconds=10.0 if seconds is None else seconds, mode=mode, on_clip=show)
    if as_json:
        _print_json(
            [{"path": str(c.path), "start": c.span.start, "end": c.span.end, "num_frames": c.num_frames} for c in clips]
        )
    else:
        frames_in_all = plural(sum(clip.num_frames for clip in clips), "frame")
        out.print(f"{plural(len(clips), 'clip')} in {output}/, {frames_in_all}", soft_wrap=True)


@app.command()
def text(
    video: VideoArgument,
    search: Annotated[str | None, typer.Option(help="Only the lines that match these words best.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="subtitles, screen or speech; subtitles if not given.")
    ] = None,
    subtitles: Annotated[Path | None, typer.Option(help="A subtitle file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every word of a video with its time: subtitles, writing in the picture, speech."""
    from ..agents.tools import cue_lines
    from ..types import to_json
    from ..video.decode import Video
    from ..video.text import TimedText

    opened = Video.open(local_path(video), subtitles=subtitles)
    words = TimedText(opened, ocr=True, asr=True)
    wanted: Any = tuple(source or (["subtitles"] if "subtitles" in words.sources() else words.sources()))
    with LiveRun(err).showing():
        cues = (
            [hit.cue for hit in words.search(search, sources=wanted)]
            if search
            else list(words.cues_in(opened.span, wanted))
        )
    if as_json:
        _print_json([orjson.loads(to_json(cue)) for cue in cues])
    elif cues:
        sys.stdout.write(cue_lines(cues) + "\n")
    else:
        err.print(
            f"no words found in {', '.join(wanted) or 'this video: it has no subtitles, and no extra to read it'}"
        )


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check what longtake needs and what it may use, and say what to do about the rest."""
    from .doctor import check_all

    checks = check_all()
    if as_json:
        _print_json(
            [{"what": check.what, "ok": check.ok, "found": check.found, "next": check.next_step} for check in checks]
        )
    else:
        for check in checks:
            mark = {True: "[green]ok[/]  ", False: "[red]FAIL[/]", None: "[dim]--[/]  "}[check.ok]
            out.print(
                f"{mark} {check.what}: {check.found}{f'. {check.next_step}' if check.next_step else ''}", soft_wrap=True
            )
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


def _print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


@contextmanager
def _progress(what: str) -> Generator[Callable[[int, int], None]]:
    """A bar on a terminal, a line every tenth in a log."""
    if not err.is_terminal:
        tenths = set[int]()

        def line(done: int, total: int) -> None:
            tenth = 10 * done // max(total, 1)
            if tenth not in tenths:
                tenths.add(tenth)
                err.print(f"{what}: {done} of {total}")

        yield line
        return
    with Progress(console=err, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def main() -> NoReturn:
    """Runs the command line; every error of longtake is one line and an exit code."""
    try:
        app()
    except (ConfigError, SpanError) as e:
        _fail(str(e), 2)
    except LongtakeError as e:
        _fail(str(e), 1)
    except KeyboardInterrupt:
        _fail("interrupted; what was finished is saved", 130)
    except BrokenPipeError:
        raise SystemExit(1) from None
    raise SystemExit(0)


def _fail(message: str, code: int) -> NoReturn:
    err.print(f"[bold red]error[/]  {escape(' '.join(message.split()))}", soft_wrap=True)
    raise SystemExit(code)
