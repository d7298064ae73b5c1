"""What the commands of the seed projects share: their options, and how a run of one goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ..errors import ConfigError
from .eval_progress import EvalBar
from .terminal import err, out, until_done

if TYPE_CHECKING:
    from ..eval.regrade import Opened
    from ..eval.settings import EvalSettings
    from ..models.journaled import Limits

__all__ = [
    "BaseUrlOption",
    "ChangeOption",
    "CostOption",
    "DatasetOption",
    "FramesOption",
    "LimitOption",
    "ModelOption",
    "OutOption",
    "QuestionsOption",
    "SetOption",
    "SubsOption",
    "ThreadsOption",
    "check_paths",
    "dataset_of",
    "evaluate",
    "key_variable",
    "model_spec",
    "run_folder",
    "safe_name",
    "say_files",
]

DATASETS = {
    "tvqa": "longtvqa",
    "tvqa_plus": "longtvqa+",
    "longtvqa": "longtvqa",
    "longtvqa_plus": "longtvqa+",
}
"""LongVideoAgent's names -> ours. Its questions are about whole episodes, whichever names it gives the data."""

ModelOption = Annotated[
    str,
    typer.Option("--model", help="A name at the endpoint, or reader, ollama:NAME, scripted:FILE.", show_default=False),
]
BaseUrlOption = Annotated[str | None, typer.Option(help="Its endpoint; else OPENAI_BASE_URL, else OpenAI's.")]
DatasetOption = Annotated[str, typer.Option(help="tvqa or tvqa_plus (LongTVQA, LongTVQA+).", show_default=False)]
QuestionsOption = Annotated[Path, typer.Option(help="The questions, JSON or JSON Lines.", show_default=False)]
SubsOption = Annotated[Path, typer.Option(help="The subtitles of all clips, one file.", show_default=False)]
FramesOption = Annotated[Path, typer.Option(help="The folder with a folder of frames a clip.", show_default=False)]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Questions and model calls at once.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many questions.")]
CostOption = Annotated[float | None, typer.Option(min=0, help="USD this run may cost in all.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="The run's folder; by default beside the output file.")]
ChangeOption = Annotated[bool, typer.Option("--change", help="Go on with other settings than before.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting: temperature=0, agent_options.num_frames=30.")
]


def model_spec(name: str) -> str:
    """``name`` as --model takes it: a bare name is one at an OpenAI-compatible endpoint."""
    from ..registry import names

    prefix, colon, _ = name.partition(":")
    known = {*names("model"), "ollama"}
    return name if name == "reader" or (colon and prefix in known) else f"openai:{name}"


def dataset_of(name: str) -> str:
    """Our name of LongVideoAgent's data set. Raises `ConfigError`."""
    if name not in DATASETS:
        raise ConfigError(f"--dataset {name!r}: it is one of {', '.join(DATASETS)}")
    return DATASETS[name]


def key_variable(role: str, model: str | None, given: str | None, theirs: str) -> str | None:
    """The environment variable with the key of this role; a key given as an option is put into one of its own, so that
    it is in no file. None: OPENAI_API_KEY, or none at all."""
    if model is None or not model.startswith("openai:"):
        return None
    name = f"LONGTAKE_{role.upper()}_API_KEY"
    if given is not None:
        os.environ[name] = given
    return next((each for each in (name, theirs) if os.environ.get(each)), None)


def check_paths(paths: Mapping[str, Path]) -> None:
    if missing := [f"{option} {path}" for option, path in paths.items() if not path.exists()]:
        raise ConfigError(f"there is no such file or folder: {', '.join(missing)}")


def safe_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "model"


def run_folder(file: Path) -> Path:
    """Where the run is whose results are in ``file``: beside it, under its name."""
    return file.with_suffix("") if file.suffix else file.with_name(f"{file.name}-run")


def evaluate(
    settings: EvalSettings, run: Path, write: Callable[[Opened], object], limits: Limits, change: bool
) -> dict[str, Any]:
    """Runs or goes on with an evaluation; ``write`` puts what is known so far into the files of the seed."""
    from ..eval.report.write import write_report
    from ..eval.run import evaluate_async
    from ..eval.seed_files import written_meanwhile

    with EvalBar(err).showing() as show, written_meanwhile(run, write):
        metrics = until_done(evaluate_async(settings, run, limits=limits, change=change, on_tally=show))
    write_report([run], run)
    return metrics


def say_files(*paths: Path) -> None:
    out.print(f"[dim]{escape(', '.join(map(str, paths)))}[/]", soft_wrap=True)
