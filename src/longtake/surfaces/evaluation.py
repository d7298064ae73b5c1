"""``longtake eval``: agents on benchmarks. Reads arguments, calls the core, prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape

from ..errors import ConfigError
from .arguments import read_arguments
from .eval_print import print_check, print_comparison, print_metrics
from .eval_progress import EvalBar
from .looking import JsonOption
from .terminal import err, out, print_json, progress, until_done

if TYPE_CHECKING:
    from ..eval.settings import EvalSettings

__all__ = ["CoverageOption", "eval_app", "print_result", "read_eval_arguments"]

eval_app = typer.Typer(
    help="Measure agents on benchmarks, with numbers that say how far they can be trusted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

TO_BE_DONE = ("transport", "video", "judge", "not run")
"""Causes of no verdict that another run may mend."""
BenchmarkArgument = Annotated[
    str,
    typer.Argument(help="A name (see eval list), a .toml file, custom, or lmms:TASK.", show_default=False),
]
DataOption = Annotated[
    list[str] | None, typer.Option(help="Files or a folder, or hf:REPO@REVISION; by default the benchmark's own.")
]
VideosOption = Annotated[Path | None, typer.Option(help="The folder of the videos, in any layout.")]
SubtitlesOption = Annotated[Path | None, typer.Option(help="The subtitles, where they lie apart.")]
NoSubtitlesOption = Annotated[bool, typer.Option("--no-subtitles", help="Use no words of any video.")]
SplitOption = Annotated[str | None, typer.Option(help="Which split, where there are several.")]
RevisionOption = Annotated[str | None, typer.Option(help="Of the data on the hub; the commit is kept in run.json.")]
FoldersArgument = Annotated[list[Path], typer.Argument(help="--out folders of eval run.", show_default=False)]
CoverageOption = Annotated[float | None, typer.Option(min=0, max=1, help="No headline below this share of verdicts.")]


def read_eval_arguments(
    benchmark: str, given: dict[str, Any], config: Path | None = None, assignments: list[str] | None = None
) -> EvalSettings:
    """Settings from the file, then ``--set``, then the options of their own (None: not given)."""
    from ..eval.settings import read_eval_settings

    own: dict[str, Any] = given.get("judge") or {}
    others = {k: v for k, v in given.items() if v is not None and k != "judge"}
    values = read_arguments(config, others, assignments or [])
    named = values.get("judge", {})
    if isinstance(named, str | dict):  # a name is short for a table of one
        table = {"model": named} if isinstance(named, str) else cast("dict[str, Any]", named)
        values["judge"] = {**table, **{k: v for k, v in own.items() if v is not None}}
    return read_eval_settings({"benchmark": benchmark, **values})


def _subtitles(path: Path | None, none: bool) -> str | bool | None:
    if path is not None and none:
        raise ConfigError("--subtitles and --no-subtitles exclude each other; give one")
    return False if none else str(path) if path is not None else None


@eval_app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """The benchmarks that longtake reads, and the baselines."""
    from ..eval.contestant import BASELINES
    from ..eval.data.benchmark import list_specs

    specs = list_specs()
    if as_json:
        benchmarks = [{"name": s.name, "title": s.title, "about": s.about, "kind": s.kind} for s in specs]
        print_json({"benchmarks": benchmarks, "baselines": BASELINES})
        return
    for spec in specs:
        out.print(f"[bold]{spec.name}[/]  {escape(spec.title)}. {escape(spec.about)}", soft_wrap=True)
    out.print("[bold]lmms:TASK[/]  a task of lmms-eval; its own verdict is the column lmms.")
    out.print(f"\nagents: crop, direct, think, tool, team; baselines: {', '.join(BASELINES)}")


@eval_app.command(
    epilog="""[bold]Examples[/]\n
longtake eval check lvbench --data video_info.meta.jsonl --videos videos/\n
longtake eval check custom --data mine.csv --videos films/ --json"""
)
def check(
    benchmark: BenchmarkArgument,
    data: DataOption = None,
    videos: VideosOption = None,
    subtitles: SubtitlesOption = None,
    no_subtitles: NoSubtitlesOption = False,
    split: SplitOption = None,
    revision: RevisionOption = None,
    decode: Annotated[bool, typer.Option("--decode/--no-decode", help="Decode a frame of every video.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check the data of a benchmark before anything is spent: rows, answers, videos, subtitles."""
    from ..eval.data.check import check_benchmark
    from ..eval.run import load_benchmark

    given = {
        "data": tuple(data) if data else None,
        "videos": str(videos) if videos else None,
        "subtitles": _subtitles(subtitles, no_subtitles),
        "split": split,
        "revision": revision,
    }
    loaded = load_benchmark(read_eval_arguments(benchmark, given))
    with progress("opening videos") as advance:
        found = check_benchmark(loaded, decode=decode, on_progress=advance)
    if as_json:
        print_json(found.as_json())
    else:
        print_check(found)
    if found.problems:
        raise typer.Exit(1)


@eval_app.command(
    epilog="""[bold]Examples[/]\n
longtake eval run video-mme --data Video-MME/ --videos videos/ --agent blind --model openai:gpt-5-mini --out blind\n
longtake eval run lvbench --data LVBench/ --videos videos/ --agent crop --model openai:M --base-url URL --out lvbench\n
longtake eval run custom --data mine.jsonl --videos films/ --agent reader --out mine\n
longtake eval run videosiah-eval --data V/ --videos videos/ --model openai:M --judge openai:J --out siah"""
)
def run(
    benchmark: BenchmarkArgument,
    out_: Annotated[Path, typer.Option("--out", help="The run's folder; given again, the run goes on.")],
    data: DataOption = None,
    videos: VideosOption = None,
    subtitles: SubtitlesOption = None,
    no_subtitles: NoSubtitlesOption = False,
    split: SplitOption = None,
    revision: RevisionOption = None,
    agent: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Who", help="crop (default), direct, think, tool, team; baselines: see eval list."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(rich_help_panel="Who", help="reader (default), openai:NAME, ollama:NAME, scripted:FILE."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(rich_help_panel="Who", help="The endpoint of openai: models.")] = None,
    grounding_model: Annotated[
        str | None, typer.Option(rich_help_panel="Who", help="team: the model that finds the clip.")
    ] = None,
    grounding_base_url: Annotated[str | None, typer.Option(rich_help_panel="Who", help="Its own endpoint.")] = None,
    vision_model: Annotated[
        str | None, typer.Option(rich_help_panel="Who", help="team: the model that looks at it.")
    ] = None,
    vision_base_url: Annotated[str | None, typer.Option(rich_help_panel="Who", help="Its own endpoint.")] = None,
    judge: Annotated[
        str | None, typer.Option(rich_help_panel="Who", help="A model that judges answers in words.")
    ] = None,
    judge_base_url: Annotated[str | None, typer.Option(rich_help_panel="Who", help="The judge's own endpoint.")] = None,
    ground_cache: Annotated[
        list[Path] | None,
        typer.Option(rich_help_panel="Who", help="team: begins where this file says, see eval ground-cache."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(rich_help_panel="How it looks", help="Frames of the overview; 0 for none.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(rich_help_panel="How it looks", help="Overview frames a second, up to --frames.")
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(rich_help_panel="How it looks", help="Pixels a frame may have.")
    ] = None,
    max_turns: Annotated[
        int | None, typer.Option(rich_help_panel="How it looks", help="How often the model may speak.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(rich_help_panel="How much", min=1, help="Only the first so many questions.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(rich_help_panel="How much", help="2/4: the second of four parts of the videos.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(rich_help_panel="How much", min=1, help="Ask every question so often.")
    ] = None,
    in_flight: Annotated[
        int, typer.Option(rich_help_panel="How much", min=1, max=256, help="Model calls at once, for each worker.")
    ] = 32,
    max_cost: Annotated[
        float | None, typer.Option(rich_help_panel="How much", min=0, help="USD this run may cost in all.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(rich_help_panel="How much", min=0, help="Tokens this run may use in all.")
    ] = None,
    min_coverage: CoverageOption = None,
    ray: Annotated[
        str | None, typer.Option(rich_help_panel="How much", help="A Ray cluster: its address, auto, or local.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(rich_help_panel="How much", help="With --ray: worker processes; one for two cores.")
    ] = None,
    change: Annotated[bool, typer.Option("--change", help="Go on with other settings than before.")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings as TOML; options given here stand above it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting: temperature=0.7, agent_options.crop_fps=2.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run an agent on a benchmark, or go on where it stopped. What was answered is never asked or paid again."""
    from ..compute import Local, Ray
    from ..eval.report.write import write_report
    from ..eval.run import evaluate_async
    from ..models.journaled import Limits

    if workers is not None and ray is None:
        raise ConfigError("--workers goes with --ray; without Ray there is one process, see --in-flight")
    if judge_base_url is not None and judge is None:
        raise ConfigError("--judge-base-url goes with --judge")
    settings = read_eval_arguments(
        benchmark,
        {
            "data": tuple(data) if data else None,
            "videos": str(videos) if videos else None,
            "subtitles": _subtitles(subtitles, no_subtitles),
            "split": split,
            "revision": revision,
            "agent": agent,
            "model": model,
            "base_url": base_url,
            "grounding_model": grounding_model,
            "grounding_base_url": grounding_base_url,
            "vision_model": vision_model,
            "vision_base_url": vision_base_url,
            "ground_cache": tuple(map(str, ground_cache)) if ground_cache else None,
            "judge": None if judge is None else {"model": judge, "base_url": judge_base_url},
            "frames": frames,
            "fps": fps,
            "max_pixels": max_pixels,
            "max_turns": max_turns,
            "limit": limit,
            "shard": shard,
            "epochs": epochs,
            "min_coverage": min_coverage,
        },
        config,
        set_,
    )
    compute = Local() if ray is None else Ray(ray, num_workers=workers)
    limits = Limits(in_flight, max_cost, max_tokens)
    with EvalBar(err).showing() as show:
        metrics = until_done(
            evaluate_async(settings, out_, compute=compute, limits=limits, change=change, on_tally=show)
        )
    write_report([out_], out_)
    print_result(out_, metrics, as_json=as_json)


def print_result(folder: Path, metrics: dict[str, Any], *, as_json: bool) -> None:
    """Exit code 1 where something is still to be done: a model, a judge or a video that was not there."""
    if as_json:
        print_json(metrics)
    else:
        print_metrics([(folder.name, metrics)])
        out.print(f"[dim]{escape(str(folder))}/report.html, report.md, metrics.json[/]", soft_wrap=True)
    if metrics["num_not_judged"] or any(metrics["no_verdict"].get(cause) for cause in TO_BE_DONE):
        raise typer.Exit(1)


@eval_app.command(
    epilog="""[bold]Examples[/]\n
longtake eval regrade siah --judge openai:J --judge-base-url http://localhost:8000/v1\n
longtake eval regrade mine --data corrected.jsonl"""
)
def regrade(
    folders: FoldersArgument,
    judge: Annotated[str | None, typer.Option(help="Asks this judge what it has not said yet.")] = None,
    judge_base_url: Annotated[str | None, typer.Option(help="The judge's endpoint.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="USD the folder may cost in all.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens the folder may use in all.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="The run's data with corrected answers.")] = None,
    min_coverage: CoverageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Grade stored runs again: by today's scorers, by a judge, against corrected data. Asks no agent."""
    from ..eval.regrade import regrade as grade_again
    from ..eval.report.write import write_report
    from ..eval.run import corrected
    from ..eval.settings import JudgeSettings
    from ..models.journaled import Limits

    limits = Limits(max_cost_usd=max_cost, max_tokens=max_tokens)
    by = None if judge is None else JudgeSettings(model=judge, base_url=judge_base_url)
    results = list[tuple[str, dict[str, Any]]]()
    for folder in folders:
        gold = corrected(folder, tuple(data)) if data else None
        results.append(
            (
                folder.name,
                asyncio.run(grade_again(folder, judge=by, corrected=gold, min_coverage=min_coverage, limits=limits)),
            )
        )
        write_report([folder], folder)
    if as_json:
        print_json([metrics for _, metrics in results] if len(results) > 1 else results[0][1])
    else:
        print_metrics(results)
        for folder in folders:
            out.print(
                f"[dim]written anew: {escape(str(folder))}/metrics.json, report.html, report.md[/]", soft_wrap=True
            )


@eval_app.command(epilog="[bold]Example[/]\n\nlongtake eval report blind uniform crop --out compared/")
def report(
    folders: FoldersArgument,
    target: Annotated[Path | None, typer.Option("--out", help="Folder for report.html and report.md.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One page about a run, or several beside each other; the shards of one run are put together."""
    from ..eval.report.write import write_report

    where = target or (folders[0] if len(folders) == 1 else Path("longtake-eval"))
    results = write_report(folders, where)
    if as_json:
        print_json([{"run": name, **metrics} for name, metrics in results])
    else:
        print_metrics(results)
        out.print(f"[dim]{escape(str(where))}/report.html, report.md[/]", soft_wrap=True)


@eval_app.command(epilog="[bold]Example[/]\n\nlongtake eval compare before after")
def compare(
    first: Annotated[Path, typer.Argument(help="An --out folder of eval run.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="Another one, of the same questions.", show_default=False)],
    column: Annotated[str | None, typer.Option(help="strict, lenient, judge or a measure.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Is one run better than another? The same questions, paired."""
    from ..eval.folders import compare_folders

    found = compare_folders(first, second, column)
    if as_json:
        print_json(found)
    else:
        print_comparison(first.name, second.name, found)
