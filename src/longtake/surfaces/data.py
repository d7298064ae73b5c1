"""``longtake data``: a folder of long videos -> training data. Reads arguments, calls the core, prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ..errors import ConfigError
from .arguments import read_arguments
from .data_cluster import add_cluster
from .data_status import show_status
from .data_steps import add_steps
from .looking import JsonOption
from .show import plural
from .steps_progress import StepBars
from .terminal import err, out, print_json, until_done

if TYPE_CHECKING:
    from ..datagen.export.write import ExportReport

__all__ = ["data_app"]

data_app = typer.Typer(
    help="Make training data with reasoning from long videos.", no_args_is_help=True, rich_markup_mode="rich"
)

RunArgument = Annotated[Path, typer.Argument(help="The --out folder of longtake data run.", show_default=False)]
ModelOption = Annotated[
    str | None,
    typer.Option(help="reader (default: rules, needs nothing), openai:NAME, ollama:NAME, scripted:FILE."),
]
UrlOption = Annotated[str | None, typer.Option(help="The endpoint of openai: models. Keys come from OPENAI_API_KEY.")]
ConfigOption = Annotated[Path | None, typer.Option(help="Settings as TOML; options given here stand above it.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting: clip_seconds=30, model_options.jpeg_quality=90; see data settings."),
]


@data_app.command(
    epilog="""[bold]Examples[/]\n
longtake data run --videos films/ --out run\n
longtake data run --videos films/ --out run --caption-model openai:EYES --reason-model openai:BRAIN --base-url URL\n
longtake data run --recipe longvt --videos films/ --out run --model openai:gpt-5-mini --max-cost 20\n
longtake data run --recipe traces --set questions=mine.jsonl --videos films/ --out rft --trace-model openai:mine"""
)
def run(
    videos: Annotated[Path, typer.Option(help="A folder of videos, or one video.", show_default=False)],
    out_: Annotated[Path, typer.Option("--out", help="The run's folder; given again, the run goes on.")] = Path(
        "longtake-data"
    ),
    recipe: Annotated[str | None, typer.Option(help="longvideo-reason (default), longvt or traces.")] = None,
    model: ModelOption = None,
    caption_model: Annotated[str | None, typer.Option(help="Captions clips; sees pictures.")] = None,
    reason_model: Annotated[str | None, typer.Option(help="Writes and judges questions; reads text.")] = None,
    trace_model: Annotated[str | None, typer.Option(help="Answers by tools in recorded runs.")] = None,
    blind_model: Annotated[str | None, typer.Option(help="Tries every question without the video.")] = None,
    base_url: UrlOption = None,
    caption_base_url: Annotated[str | None, typer.Option(help="The caption model's own endpoint.")] = None,
    reason_base_url: Annotated[str | None, typer.Option(help="The reason model's own endpoint.")] = None,
    trace_base_url: Annotated[str | None, typer.Option(help="The trace model's own endpoint.")] = None,
    blind_base_url: Annotated[str | None, typer.Option(help="The blind model's own endpoint.")] = None,
    in_flight: Annotated[int, typer.Option(min=1, help="Records at work at once, for each worker.")] = 64,
    max_cost: Annotated[float | None, typer.Option(min=0, help="USD this run may cost in all.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens this run may use in all.")] = None,
    ray: Annotated[
        str | None, typer.Option(help="A Ray cluster: its address, auto, or local for one on this machine.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="With --ray: worker processes; one for two cores.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Also try what failed for good.")] = False,
    change: Annotated[bool, typer.Option("--change", help="Go on with other settings than before.")] = False,
    fsync: Annotated[str, typer.Option(help="group: to disk every 50 ms; always: every line.")] = "group",
    config: ConfigOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe on videos, or go on where it stopped. What is done is never done or paid again."""
    from ..compute import Local, Ray
    from ..datagen.recipe import read_data_settings
    from ..datagen.run import make
    from ..models.journaled import Limits

    given = {
        "recipe": recipe,
        "model": model,
        "caption_model": caption_model,
        "reason_model": reason_model,
        "trace_model": trace_model,
        "blind_model": blind_model,
        "base_url": base_url,
        "caption_base_url": caption_base_url,
        "reason_base_url": reason_base_url,
        "trace_base_url": trace_base_url,
        "blind_base_url": blind_base_url,
    }
    if fsync not in ("group", "always"):
        raise ConfigError(f"--fsync is group or always, got {fsync!r}")
    if workers is not None and ray is None:
        raise ConfigError("--workers goes with --ray; without Ray there is one process, see --in-flight")
    settings = read_data_settings(read_arguments(config, {k: v for k, v in given.items() if v is not None}, set_ or []))
    limits = Limits(in_flight, max_cost, max_tokens, retry_failed=retry_failed)
    compute = Local() if ray is None else Ray(ray, num_workers=workers)
    with StepBars(err).showing() as show:
        given_up = until_done(
            make(
                settings,
                videos,
                out_,
                compute=compute,
                limits=limits,
                fsync="always" if fsync == "always" else "group",
                change=change,
                on_tally=show,
            )
        )
    for video in given_up:
        err.print(f"[red]{escape(video)} ended its worker process again and again and was given up[/]")
    show_status(out_, as_json=as_json, ended=True, next_step=f"longtake data report {out_}")


@data_app.command(epilog="[bold]Example[/]\n\nlongtake data settings longvt")
def settings(
    recipe: Annotated[str, typer.Argument(help="longvideo-reason, longvt or traces.")] = "longvideo-reason",
    as_json: JsonOption = False,
) -> None:
    """What --set takes: the settings of a recipe with their defaults."""
    from dataclasses import asdict

    from ..datagen.recipe import describe

    docs = describe(recipe)
    if as_json:
        print_json([asdict(doc) for doc in docs])
        return
    for doc in docs:
        out.print(f"[bold]{doc.name}[/] = {escape(doc.default or '(must be given)')}", soft_wrap=True)
        if doc.about:
            out.print(f"    {escape(doc.about)}", soft_wrap=True)


@data_app.command()
def status(folder: RunArgument, as_json: JsonOption = False) -> None:
    """What is done, dropped, failed and in flight in every step, and what it cost."""
    show_status(folder, as_json=as_json, next_step=f"longtake data report {folder}")


@data_app.command()
def verify(folder: RunArgument, as_json: JsonOption = False) -> None:
    """Prove that the books of a run are right: sums, keys, digests, exports."""
    from dataclasses import asdict

    from ..datagen import audit

    opened = audit.open_run(folder)
    found, verdict = asyncio.run(audit.status(opened)), asyncio.run(audit.verify(opened))
    doubtful = audit.in_doubt(opened)
    if as_json:
        in_doubt = [asdict(call) for call in doubtful]
        print_json({"ok": not verdict.wrong, **asdict(verdict), "in_doubt": in_doubt, **found.as_json()})
    else:
        for line in verdict.wrong:
            out.print(f"[red]wrong[/]  {escape(line)}", soft_wrap=True)
        for line in verdict.notes:
            out.print(f"note   {escape(line)}", soft_wrap=True)
        for step in found.steps:
            count = step.count
            parts = f"{count.ok} ok + {count.rejected} rejected + {count.invalid} invalid + {count.failed} failed"
            out.print(f"{step.name}: {parts} + {step.pending} pending = {step.inputs} inputs", soft_wrap=True)
        what = "under way now, or cut off" if found.is_running else "cut off by a kill or a timeout"
        out.print(f"model calls {what}, so perhaps paid without a reply: {len(doubtful)}")
        for call in doubtful:
            out.print(f"  {call.step}  {escape(call.record)}", soft_wrap=True)
        out.print(
            "[green]ok[/]  the books are right" if not verdict.wrong else f"{plural(len(verdict.wrong), 'thing')} wrong"
        )
    if verdict.wrong:
        raise typer.Exit(1)


@data_app.command(
    epilog="""[bold]Examples[/]\n
longtake data export run --form chat --out train.jsonl\n
longtake data export run --form grpo --out train.parquet --filter "leak<=0.5" --filter "duplicate<=0.8" --balance\n
longtake data export run --form longvt --out traces.parquet --media frames/"""
)
def export(
    folder: RunArgument,
    form: Annotated[str, typer.Option(help="longvideo-reason, chat, grpo, verl, longvt or traces.")],
    file: Annotated[Path, typer.Option("--out", help="A .jsonl or .parquet file.")],
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help='Keep what fits: "leak<=0.5". May be repeated.')
    ] = None,
    balance: Annotated[bool, typer.Option("--balance", help="Reorder options so that the letters balance.")] = False,
    media: Annotated[Path | None, typer.Option(help="A folder for the frames as JPEG files.")] = None,
    max_per_question: Annotated[int, typer.Option(min=1, help="Rows for the same question about the same video.")] = 1,
    videos: Annotated[Path | None, typer.Option(help="Where the videos are now, if they were moved.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what a run made as a training file, with a card beside it."""
    from dataclasses import asdict

    from ..datagen import audit
    from ..datagen.export.write import card_path
    from ..datagen.export.write import export as write
    from ..datagen.quality.measures import parse_filter

    kept = [parse_filter(text) for text in filters or []]
    opened = audit.open_run(folder)
    report = write(
        asyncio.run(opened.leaves()),
        form,
        file,
        filters=kept,
        root=videos or opened.videos,
        media=media,
        balance_letters=balance,
        max_per_question=max_per_question,
        lineage=opened.lineage(),
    )
    opened.note_export(card_path(file))
    if as_json:
        print_json(asdict(report))
    else:
        _print_export(file, report)
    if not report.num_rows:
        raise typer.Exit(1)


def _print_export(file: Path, report: ExportReport) -> None:
    out.print(f"{file}: {plural(report.num_rows, 'row')} from {plural(report.num_videos, 'video')}", soft_wrap=True)
    for what, count in {**report.refused, **report.filtered}.items():
        out.print(f"  left out  {count}  {escape(what)}", soft_wrap=True)
    if report.num_duplicates:
        out.print(f"  left out  {report.num_duplicates}  the same question about the same video")
    if report.num_without_thinking:
        told = f"{plural(report.num_without_thinking, 'row')} with a turn without a word of thought"
        out.print(f'  note  {told}; --filter "thoughts>=1" leaves them out', soft_wrap=True)
    if report.letters_kept:
        out.print(f"  note  {plural(report.letters_kept, 'right option')} could not be moved: words name its letter")


@data_app.command()
def report(
    folder: RunArgument,
    page: Annotated[Path | None, typer.Option("--out", help="The HTML page; by default report.html in RUN.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Videos shown in full.")] = 12,
    videos: Annotated[Path | None, typer.Option(help="Where the videos are now, if they were moved.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One HTML page to judge the data by: samples beside their frames, distributions, duplicates, leaks."""
    from ..datagen import audit
    from ..datagen.quality.report import report_json, write_report

    opened = audit.open_run(folder)
    leaves, found = asyncio.run(opened.leaves()), asyncio.run(audit.status(opened))
    if as_json:
        print_json(report_json(leaves, found.as_json()))
        return
    target = page or folder / "report.html"
    with err.status("taking frames"):
        write_report(leaves, target, sample=sample, root=videos or opened.videos, status=found.as_json())
    out.print(f"{target}: {plural(len(leaves), 'result')} of {plural(len(opened.roots), 'video')}", soft_wrap=True)


add_steps(data_app)
add_cluster(data_app)
