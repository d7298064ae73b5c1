"""What can be measured of a question without a model, filters on it, and how it is spread over many questions.

Measures are pure; the blind test is read from its step's record, not made here. No measure changes a question: what
a filter leaves out is counted under the filter's name.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from ...errors import ConfigError
from ...scoring.words import content_words, num_words
from ...types import TimeSpan
from ..export.conversation import thought_of
from ..export.items import Item
from .duplicates import likeness

__all__ = [
    "MEASURES",
    "Filter",
    "Histogram",
    "Measures",
    "counts",
    "duplicates",
    "histogram",
    "leak",
    "left_out",
    "measure",
    "parse_filter",
]


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers about one question; None where there is nothing to measure.

    ``question_words`` counts the options too, ``reasoning_words`` all that was thought in a trace. ``span_seconds`` is
    the length of the video that the answer rests on, overlaps once. ``leak`` in [0, 1] says how much the question gives
    the answer away. ``longest`` is 1 if the right option is longer than every other, else 0: where it often is, a model
    learns to take the longest. ``duplicate`` is the likeness in [0, 1] to an earlier question of any video
    (`duplicates`). ``blind`` is the share of right answers among the text-only tries that gave a verdict; None too if
    none did. ``score`` is the least score of the trace, ``num_calls`` its tool calls, ``thoughts`` the share of its
    turns with a word of thought."""

    question_words: int
    answer_words: int
    reasoning_words: int
    num_spans: int
    span_seconds: float
    leak: float
    longest: float = 0.0
    duplicate: float | None = None
    blind: float | None = None
    score: float | None = None
    num_calls: int | None = None
    thoughts: float | None = None


MEASURES = tuple(field.name for field in fields(Measures))
_MISSING = {
    "duplicate": "it is measured over all questions",
    "blind": "run the recipe with its blind step first",
    "score": "only traces are scored",
    "num_calls": "only traces call tools",
    "thoughts": "only traces have turns",
}


def measure(item: Item, duplicate: float | None = None) -> Measures:
    """The measures of one question; ``duplicate`` is found over all of them, by `duplicates`."""
    question, scores = item.question, [score.value for score in item.scores if score.value is not None]
    answer = question.answer if item.right is None else question.options[item.right]
    turns = item.trace.turns if item.trace else ()
    return Measures(
        question_words=sum(map(num_words, (question.question, *question.options))),
        answer_words=num_words(answer),
        reasoning_words=num_words(_reasoning(item)),
        num_spans=len(question.spans),
        span_seconds=_covered(question.spans),
        leak=leak(item),
        longest=_longest(item),
        duplicate=duplicate,
        blind=item.blind.right / item.blind.usable if item.blind and item.blind.usable else None,
        score=min(scores, default=None),
        num_calls=None if item.trace is None else sum(len(turn.calls) for turn in turns),
        thoughts=sum(bool(thought_of(turn)) for turn in turns) / len(turns) if turns else None,
    )


def leak(item: Item) -> float:
    """How much of the answer stands in the question, in [0, 1].

    An open answer: the share of its content words that the question has. An option: that share of the words no other
    option has, less the greatest such share of another option, since then the question points at none. A question that
    offers its alternatives itself ("three or four?") gives an open answer away by this, and so does a line with a gap
    where the missing word stands elsewhere in it."""
    asked = content_words(item.question.question)
    options, right = item.question.options, item.right
    if right is None:
        return _share(content_words(item.question.answer), asked)
    words = [content_words(option) for option in options]
    own = [mine - frozenset[str]().union(*words[:i], *words[i + 1 :]) for i, mine in enumerate(words)]
    shares = [_share(mine, asked) for mine in own]
    return max(0.0, shares[right] - max((share for i, share in enumerate(shares) if i != right), default=0.0))


def duplicates(items: Iterable[Item]) -> dict[str, float]:
    """The `Measures.duplicate` of each item by its id: likeness of question and options to those of an earlier item."""
    ids, texts = list[str](), list[str]()
    for item in items:
        ids.append(item.id)
        texts.append(" ".join((item.question.question, *sorted(item.question.options))))
    return dict(zip(ids, likeness(texts), strict=True))


def _reasoning(item: Item) -> str:
    if item.trace is None:
        return item.question.reasoning
    return " ".join(map(thought_of, item.trace.turns))


def _longest(item: Item) -> float:
    if item.right is None:
        return 0.0
    lengths = [len(option.strip()) for option in item.question.options]
    right = lengths.pop(item.right)
    return float(all(right > length for length in lengths))


def _share(words: frozenset[str], asked: frozenset[str]) -> float:
    return len(words & asked) / len(words) if words else 0.0


def _covered(spans: Iterable[TimeSpan]) -> float:
    covered, reached = 0.0, 0.0
    for span in sorted(spans):
        covered += max(0.0, span.end - max(span.start, reached))
        reached = max(reached, span.end)
    return covered


# --------------------------------------------------------------------------------------------------- filters

Bound: TypeAlias = Literal["<=", ">="]
_FILTER = re.compile(r"\s*(\w+)\s*(<=|>=)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Filter:
    """A question stays if its ``measure`` is at most (``<=``) or at least (``>=``) ``limit``."""

    measure: str
    bound: Bound
    limit: float

    def __str__(self) -> str:
        return f"{self.measure}{self.bound}{self.limit:g}"

    def keeps(self, measures: Measures) -> bool:
        """Raises `ConfigError` where the question was not measured so: it must not be kept or dropped unmeasured."""
        value: float | None = getattr(measures, self.measure)
        if value is None:
            why = _MISSING[self.measure]
            raise ConfigError(f"the filter {self} cannot be used: {self.measure} is not known; {why}")
        return value <= self.limit if self.bound == "<=" else value >= self.limit


def parse_filter(text: str) -> Filter:
    """Reads ``leak<=0.5``. Raises `ConfigError` naming the measures."""
    match = _FILTER.fullmatch(text)
    allowed = f"a filter is MEASURE<=NUMBER or MEASURE>=NUMBER with one of {', '.join(MEASURES)}"
    if match is None or match[1] not in MEASURES:
        raise ConfigError(f"{allowed}; got {text!r}")
    try:
        limit = float(match[3])
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise ConfigError(f"{allowed}; {match[3]!r} is not a number")
    return Filter(match[1], "<=" if match[2] == "<=" else ">=", limit)


def left_out(item: Item, filters: Sequence[Filter], duplicate: float | None = None) -> str | None:
    """The filter that leaves a question out, the first of them, or None if it stays. Raises what `Filter.keeps` does.

    A blind test of which no try could be used is no verdict: its question does not pass a filter on it."""
    measures = measure(item, duplicate) if filters else None
    for one in filters:
        if one.measure == "blind" and item.blind is not None and not item.blind.usable:
            return f"{one}: no try could be used"
        if measures is not None and not one.keeps(measures):
            return str(one)
    return None


# ---------------------------------------------------------------------------------------------- distributions


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts[i]`` values lie from ``edges[i]`` up to ``edges[i + 1]``; the last bin holds its upper edge too."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float
    median: float
    high: float


def histogram(values: Sequence[float], num_bins: int = 12) -> Histogram | None:
    """About ``num_bins`` equal bins with round edges, at least one wide for whole numbers; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    whole = all(value == int(value) for value in values)
    step = _round_step(max((high - low) / num_bins, 1.0 if whole else 1e-9)) if high > low else 1.0
    first = math.floor(low / step + 1e-9)
    last = max(first, math.floor(high / step + 1e-9) if whole else math.ceil(high / step - 1e-9) - 1)
    bins = Counter(min(last, math.floor(value / step + 1e-9)) - first for value in values)
    edges = tuple(round(i * step, 9) for i in range(first, last + 2))
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Histogram(edges, tuple(bins.get(i, 0) for i in range(last - first + 1)), low, median, high)


def counts(names: Iterable[str]) -> Mapping[str, int]:
    """How often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))


def _round_step(step: float) -> float:
    """The least 1, 2 or 5 times a power of ten that is not less than ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= step * (1 - 1e-9))
