"""From how a question ended to verdicts: by every scorer of the benchmark, and by a judge if there is one.

Asks no agent. What a failure caused is no verdict and says why; replies that could not be read are wrong.
"""

from __future__ import annotations

from ..models.phrases import is_only_refusal
from ..models.thoughts import without_thinking
from ..registry import resolve
from ..scoring.base import UNREAD, normal
from ..scoring.choice import extract_choice
from ..scoring.grounding import read_spans
from ..scoring.looked import look
from ..scoring.numbers import figures, quantities
from ..scoring.scorers import Scorer
from ..types import Sample, Score, Trace, Usage
from .data.benchmark import Spec
from .items import Cause, Graded, Item, Kind
from .lmms.task import PREFIX, lmms_scorer
from .store import Ended

__all__ = ["grade", "is_judged", "scorers_of"]


def grade(
    item: Item, epoch: int, ended: Ended | None, spec: Spec, judge: Score | None = None, *, has_judge: bool = False
) -> Graded:
    """``ended`` None: it was not run. ``judge`` is the judge's score, if it was asked; ``has_judge``: there is one, so
    what it need not be asked about is wrong for it too."""
    trace = ended.trace if ended is not None else None
    cause, unreadable = _cause(item, ended)
    scores = dict[str, Score]()
    if cause is None and ended is not None and trace is not None:
        for column, scorer in scorers_of(item.kind, spec).items():
            scores[column] = _unreadable(column, ended) if unreadable else _score(column, scorer, trace, item.sample)
        if has_judge and unreadable and item.kind != "span":
            scores["judge"] = _unreadable("judge", ended)
        elif judge is not None:
            scores["judge"] = judge
        unreadable = unreadable or _states_nothing(scores.get("lenient"))
    return Graded(
        id=item.sample.id,
        epoch=epoch,
        video_id=item.video_id,
        kind=item.kind,
        strata=item.strata,
        cause=cause,
        scores=scores,
        answer=trace.answer.text if trace is not None and trace.answer is not None else None,
        unreadable=unreadable,
        error=ended.error if ended is not None else None,
        looked=look(trace, item.sample) if trace is not None else None,
        usage=trace.usage if trace is not None else Usage(),
        seconds=trace.timings.total_seconds if trace is not None else 0.0,
    )


def _cause(item: Item, ended: Ended | None) -> tuple[Cause | None, bool]:
    """Why there is no verdict, and whether what the agent wrote could not be read."""
    if ended is None:
        return "not run", False
    if ended.cause is not None or ended.trace is None:
        return ended.cause or "not run", False
    trace = ended.trace
    if trace.stop_reason == "model_error":
        return "transport", False
    if not item.sample.target and not (item.kind == "span" and item.sample.target_spans):
        return "gold", False
    if trace.stop_reason == "abstained":
        return "abstained", False
    if trace.stop_reason == "max_tokens":
        return "truncated", False
    if trace.answer is None:
        last = trace.turns[-1].output if trace.turns else None
        said = "" if last is None else without_thinking(last.text)
        refused = last is not None and (last.stop_reason == "refused" or is_only_refusal(said, codes=True))
        return ("refused", False) if refused else (None, True)
    return ("refused" if _declines(item, trace.answer.text) else None), False


def _declines(item: Item, answer: str) -> bool:
    """Whether the whole answer is a refusal: it is not the target, and nothing of its kind can be read in it."""
    if not is_only_refusal(answer) or normal(answer) == normal(item.sample.target or ""):
        return False
    match item.kind:
        case "choice":
            return extract_choice(answer, item.sample.choices) is None
        case "span":
            return not read_spans(answer)
        case "number":
            return not quantities(figures(answer))
        case "text":
            return True


def scorers_of(kind: Kind, spec: Spec) -> dict[str, str]:
    """Column -> the name of its scorer, for questions of this kind."""
    scoring = spec.scoring_for(kind)
    extra = {"lmms" if name.startswith(PREFIX) else name: name for name in scoring.extra}
    columns = {"strict": scoring.strict, "lenient": scoring.lenient, **extra}
    return {column: name for column, name in columns.items() if name is not None}


def _score(column: str, name: str, trace: Trace, sample: Sample) -> Score:
    scorer: Scorer = lmms_scorer(name) if name.startswith(PREFIX) else resolve("scorer", name)
    score = scorer(trace, sample)
    return Score(column, score.value, score.explanation, score.error)


def _states_nothing(score: Score | None) -> bool:
    """Whether there is an answer, but none of the kind that was asked for: no option, no number."""
    return score is not None and score.value is not None and score.explanation.startswith(UNREAD)


def _unreadable(column: str, ended: Ended) -> Score:
    return Score(column, 0.0, f"no answer could be read: {ended.error}")


def is_judged(item: Item, ended: Ended | None) -> bool:
    """Whether there is something for a judge to say: an answer, and words to hold it against."""
    return item.kind != "span" and _cause(item, ended) == (None, False)
