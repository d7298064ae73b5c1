"""``longtake data serve-help`` and ``longtake data slurm``: text to copy for servers and clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .arguments import read_arguments
from .terminal import out

__all__ = ["add_cluster"]


def add_cluster(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command(
        "serve-help",
        epilog="""[bold]Examples[/]\n
longtake data serve-help --recipe longvt\n
longtake data serve-help --caption-model openai:Qwen/Qwen2.5-VL-72B-Instruct --videos films/ --out run""",
    )(serve_help)
    app.command(
        "slurm",
        epilog="""[bold]Example[/]\n
longtake data slurm --nodes 4 --out job.sh -- --videos films/ --out run --model openai:EYES --base-url URL""",
    )(slurm)


def serve_help(
    recipe: Annotated[str | None, typer.Option(help="longvideo-reason (default), longvt or traces.")] = None,
    model: Annotated[str | None, typer.Option(help="openai:NAME for all roles.")] = None,
    caption_model: Annotated[str | None, typer.Option(help="Captions clips; sees pictures.")] = None,
    reason_model: Annotated[str | None, typer.Option(help="Writes and judges questions; reads text.")] = None,
    trace_model: Annotated[str | None, typer.Option(help="Answers by tools in recorded runs.")] = None,
    blind_model: Annotated[str | None, typer.Option(help="Tries every question without the video.")] = None,
    videos: Annotated[str, typer.Option(help="As in longtake data run.")] = "VIDEOS",
    run_folder: Annotated[str, typer.Option("--out", help="As in longtake data run.")] = "RUN",
    config: Annotated[Path | None, typer.Option(help="Settings as TOML; options given here stand above it.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any setting, as in longtake data run.")] = None,
) -> None:
    """Print how to serve the models of a run with vLLM, and the run that uses them."""
    from ..datagen.cluster import serve_lines
    from ..datagen.recipe import read_data_settings

    given = {
        "recipe": recipe,
        "model": model,
        "caption_model": caption_model,
        "reason_model": reason_model,
        "trace_model": trace_model,
        "blind_model": blind_model,
    }
    arguments = read_arguments(config, {k: v for k, v in given.items() if v is not None}, set_ or [])
    for line in serve_lines(read_data_settings(arguments), videos=videos, out=run_folder):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def slurm(
    arguments: Annotated[list[str], typer.Argument(help="After --: the arguments of longtake data run.")],
    nodes: Annotated[int, typer.Option(help="Machines.")] = 2,
    time: Annotated[str, typer.Option(help="Time limit, as Slurm takes it.")] = "24:00:00",
    cpus_per_task: Annotated[int, typer.Option(help="Cores of each machine.")] = 16,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.")] = None,
    gpus_per_node: Annotated[int | None, typer.Option(help="Only where the partition asks for it.")] = None,
    job_name: Annotated[str, typer.Option(help="Shown by squeue.")] = "longtake-data",
    file: Annotated[Path | None, typer.Option("--out", help="The script; by default it is printed.")] = None,
) -> None:
    """Write an sbatch script that runs longtake data run on a Ray cluster over all its nodes."""
    from ..datagen.cluster import SlurmJob, slurm_script
    from ..store import write_atomic

    job = SlurmJob(nodes, time, cpus_per_task, partition, gpus_per_node, job_name)
    script = slurm_script(arguments, job)
    if file is None:
        out.print(script, end="", markup=False, highlight=False, soft_wrap=True)
        return
    write_atomic(file, script.encode())
    out.print(f"{file}: submit it with  sbatch {file}", soft_wrap=True)
