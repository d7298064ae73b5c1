"""A task of lmms-eval as a benchmark: its documents -> items, and its own verdicts as scores.

The task is read and scored by lmms-eval itself. Questions are asked in the task's words, options and closing request
included, so results stand beside those of lmms-eval. Nothing is asked of a model here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeAlias, cast

from ...agents.prompt import LETTERS
from ...errors import ConfigError, MissingExtraError, ScoringError
from ...scoring.base import Scorer
from ...store import digest
from ...types import JSON, Sample, Score, Trace
from ..data.benchmark import Scoring, Spec
from ..data.read import Loaded
from ..items import Item, Malformed
from .request import read_messages, scored_text

__all__ = ["PREFIX", "Grade", "lmms_benchmark", "lmms_scorer", "load_lmms"]

PREFIX = "lmms:"
"""``lmms:TASK`` is a benchmark; with ``@FOLDER`` its own verdict is a scorer, the column ``lmms``."""

Grade: TypeAlias = Callable[[Item, str], Mapping[str, float]]
"""The task's own scores of a text (`scored_text` of the run), by column: ``lmms`` for its first measure, ``lmms:NAME``
for others. Raises `ScoringError` where it gives none."""

_TASK_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What code of a task raises for a document that is not as it expects."""


def load_lmms(name: str, include_path: str | Path | None = None) -> tuple[list[Item], list[Malformed], Grade]:
    """The questions of the task, tag or group ``name``; ``include_path`` is a folder with tasks of your own.

    An item's ``id`` is ``TASK:NUMBER``; with several tasks, ``task`` is a stratum. A video that is not there leaves
    ``sample.video`` empty. lmms-eval may download data; what tasks print goes to stderr. Raises `MissingExtraError`
    without lmms-eval, `ConfigError` where there is no such task or it cannot be asked of a model that writes."""
    with _prints_aside():
        tasks = _load(name, include_path)
        items, malformed = list[Item](), list[Malformed]()
        for task_name, task in tasks.items():
            for number, doc in enumerate(task.task_docs):
                match _item(task_name, task, number, doc):
                    case Item() as item:
                        items.append(item)
                    case Malformed() as row:
                        malformed.append(row)

    def grade(item: Item, answer: str) -> Mapping[str, float]:
        task_name, _, number = item.sample.id.rpartition(":")
        with _prints_aside():
            return _grade(tasks[task_name], int(number), answer)

    return items, malformed, grade


def lmms_benchmark(name: str, data: Sequence[str]) -> Loaded:
    """The task of ``lmms:TASK`` as a benchmark; ``data`` may be one folder with tasks of your own. Its headline is the
    task's own verdict. Raises as `load_lmms`."""
    if len(data) > 1:
        raise ConfigError(f"--data of {name} is one folder with tasks of lmms-eval, got {len(data)}")
    task, folder = name.removeprefix(PREFIX), str(Path(data[0]).resolve()) if data else ""
    items, malformed, _ = load_lmms(task, folder or None)
    scoring = Scoring(extra=(f"{PREFIX}{task}@{folder}",), headline="lmms")
    spec = Spec(name=name, title=f"{task} (lmms-eval)", about="A task of lmms-eval.", kind="any", scoring=scoring)
    read: list[JSON] = [[item.sample.id, item.sample.question, item.sample.target] for item in items]
    provenance: dict[str, JSON] = {"digest": digest(read), "lmms_eval": metadata.version("lmms_eval")}
    return Loaded(spec, tuple(items), tuple(malformed), len(items) + len(malformed), (), provenance)


@cache
def lmms_scorer(name: str) -> Scorer:
    """What the task itself says of a run: ``lmms:TASK@FOLDER``."""
    task, _, folder = name.removeprefix(PREFIX).partition("@")
    grade = load_lmms(task, folder or None)[2]

    def score(trace: Trace, sample: Sample) -> Score:
        text = scored_text(sample.question, trace)
        if text is None:
            return Score("lmms", None, error=f"there is nothing to score ({trace.stop_reason})")
        try:
            value = grade(Item(sample, "text", sample.video), text)["lmms"]
        except ScoringError as e:
            return Score("lmms", None, error=str(e))
        if not 0 <= value <= 1:
            return Score("lmms", None, error=f"the task says {value}, which is no share; see its own report")
        return Score("lmms", value, f"the task {task} says {value:g}")

    return score


_ALONE = threading.RLock()


@contextmanager
def _prints_aside() -> Generator[None]:
    """What tasks print goes to stderr; one thread at a time, since there is one stdout for all."""
    with _ALONE, redirect_stdout(sys.stderr):
        yield


def _load(name: str, include_path: str | Path | None) -> dict[str, Any]:
    """Tasks by name."""
    try:
        import_module("lmms_eval.models")  # sets what lmms-eval logs, which is everything otherwise
        lmms: Any = import_module("lmms_eval.tasks")
        retry_error: type[Exception] = import_module("tenacity").RetryError
    except ImportError as e:
        raise MissingExtraError(
            f"tasks of lmms-eval need that package, and {e.name or e} is missing:"
            " pip install 'longtake[lmms-eval]' && pip install --no-deps lmms-eval"
        ) from e
    if include_path is not None and not Path(include_path).is_dir():
        raise ConfigError(f"there is no folder {include_path} with tasks of lmms-eval")
    manager = _manager(lmms, name, include_path)
    if name not in manager.all_tasks:
        raise ConfigError(f"lmms-eval has no task {name!r}; 'python -m lmms_eval --tasks list' shows what there is")
    try:
        tasks = dict(_leaves(lmms.get_task_dict([name], manager, "chat")))
    except ImportError as e:
        raise MissingExtraError(f"the task {name} of lmms-eval needs a package that is missing: {e}") from e
    except retry_error as e:
        cause = cast("Any", e).last_attempt.exception()
        raise ConfigError(f"lmms-eval cannot read the data of the task {name}: {cause}") from e
    if wrong := [task_name for task_name, task in tasks.items() if task.OUTPUT_TYPE != "generate_until"]:
        raise ConfigError(f"{', '.join(wrong)}: only tasks with output_type generate_until can be asked")
    return tasks


def _manager(lmms: Any, name: str, include_path: str | Path | None) -> Any:
    """Who knows the task; lmms-eval's own thousand are listed only for a name that the folder does not have."""
    folder = None if include_path is None else str(include_path)
    own = lmms.TaskManager("ERROR", folder, include_defaults=False, model_name="longtake")
    if name in own.all_subtasks:
        return own
    return lmms.TaskManager("ERROR", folder, model_name="longtake")


def _leaves(tasks: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, task in tasks.items():
        if isinstance(task, dict):
            yield from _leaves(cast("dict[Any, Any]", task))
        else:
            yield name, task


def _item(task_name: str, task: Any, number: int, doc: Mapping[str, Any]) -> Item | Malformed:
    name = f"{task_name}:{number}"
    video_name = ""
    try:
        try:
            video_name, question = read_messages(task.doc_to_messages(doc), name)
        except (SystemExit, AssertionError, FileNotFoundError):  # how tasks say that a video is not there
            question = str(task.doc_to_text(doc))
    except _TASK_ERRORS as e:  # ConfigError is a ValueError
        return Malformed(task_name, number + 1, f"{type(e).__name__}: {e}")
    try:
        target, choices = task.doc_to_target(doc), _choices(task, doc)
    except _TASK_ERRORS as e:
        return Malformed(task_name, number + 1, f"its answer: {type(e).__name__}: {e}")
    targets = [_text(one, choices) for one in cast("Sequence[Any]", target if isinstance(target, list) else [target])]
    in_question = not choices or all(choice in question for choice in choices)
    lettered = len(targets) == 1 and not in_question and targets[0] in choices
    sample = Sample(
        name,
        video_name if video_name and Path(video_name).exists() else "",
        question,
        tuple(choices) if lettered else (),
        target=LETTERS[choices.index(targets[0])] if lettered else next(iter(targets), None),
        metadata={"targets": cast("JSON", targets)},
    )
    kind = "choice" if lettered else "text"
    return Item(sample, kind, video_name or name, video_name or name, {"task": (task_name,)})


def _choices(task: Any, doc: Mapping[str, Any]) -> list[str]:
    """The task's options if it names them."""
    if task.config.doc_to_choice is None:
        return []
    choices = [str(choice) for choice in task.doc_to_choice(doc)]
    return choices if 2 <= len(set(choices)) == len(choices) <= len(LETTERS) else []


def _text(target: Any, choices: Sequence[str]) -> str:
    """An answer as text; a number stands for an option where there are some."""
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(choices):
        return choices[target]
    return str(target)


def _grade(task: Any, number: int, answer: str) -> Mapping[str, float]:
    """As lmms-eval's evaluator does: the task's filters, then its verdict on this one document."""
    doc = task.task_docs[number]
    instance: Any = import_module("lmms_eval.api.instance").Instance(
        "generate_until", (answer,), 0, {"task": task.config.task, "doc_id": number, "repeats": 1}, [answer]
    )
    retry_error: type[Exception] = import_module("tenacity").RetryError
    chain = task._filters[0]
    try:
        chain.apply([instance], [doc])
        verdicts = task.process_results(doc, [instance.filtered_resps[chain.name]])
    except retry_error as e:
        cause = cast("Any", e).last_attempt.exception()
        raise ScoringError(f"{task.config.task}:{number}: the task could not score an answer: {cause}") from e
    scores = dict[str, float]()
    for place, metric in enumerate(task.aggregation()):
        value = verdicts.get(metric)
        if isinstance(value, dict):  # lmms-eval's own convention for what is not a number
            value = cast("dict[str, Any]", value).get(getattr(task.config, "score_key", None) or "score")
        if isinstance(value, bool | int | float) and 0 <= value <= 1:
            scores[f"lmms:{metric}" if place else "lmms"] = float(value)
    if not scores:
        raise ScoringError(
            f"{task.config.task}:{number}: the task gives no number from 0 to 1 for one answer: {verdicts!r:.200}"
        )
    return scores
