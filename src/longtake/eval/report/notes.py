"""What one must know beside the numbers of a run, in sentences: the same on a terminal, in Markdown, on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...types import JSON
from .table import at, number, percent, plural

__all__ = ["TERMS", "asked_in_words", "meaning", "notes"]

_UNEVEN = 0.5
"""Below this share of the number of videos, the effective number is told."""
_MEANING = {
    "transport": "the model was not reached",
    "request": "the server would not take the request: too long, for example",
    "video": "the video is missing or cannot be decoded",
    "truncated": "the reply was cut off before an answer",
    "refused": "the model or its server refused",
    "abstained": "the agent said that it cannot tell",
    "gold": "the data have no answer",
    "judge": "the judge gave no verdict",
    "not run": "not asked yet",
    "scorer": "the scorer gave no verdict, or there is none for such questions",
}

TERMS = {
    "headline": "the one number of the run, in the column that the benchmark reports; none below the least coverage",
    "strict": "right as the benchmark's own script reads answers",
    "lenient": "right as a careful reader reads answers: also in other words, also with other words around them",
    "judge": "right by what a language model said of the answer",
    "contains": "the right words are somewhere in the answer",
    "temporal_iou": "how far the stated stretch of time and the right one overlap: intersection over union",
    "coverage": "the share of questions with a verdict; what failed is neither right nor wrong",
    "interval": "95 % confidence interval of the mean; it knows that questions about one video share their luck",
}
"""What the words of a report mean; a column that no run has may be left out."""


def meaning(cause: str) -> str:
    """Why there is no verdict, in words."""
    return _MEANING.get(cause, cause)


def asked_in_words(metrics: Mapping[str, JSON]) -> str:
    """``60 questions on 8 videos``, ``3 questions x 2 epochs on 1 video``."""
    epochs = number(at(metrics, "num_epochs"))
    each = f" x {epochs:g} epochs" if epochs > 1 else ""
    return f"{plural(at(metrics, 'num_questions'), 'question')}{each} on {plural(at(metrics, 'num_videos'), 'video')}"


def notes(metrics: Mapping[str, JSON]) -> list[str]:
    """Sentences about the run of which ``metrics`` are, the most important first."""
    return [
        *_of_verdicts(metrics),
        *_of_rows(metrics),
        *_of_columns(metrics),
        *_of_intervals(metrics),
        *_price(metrics),
    ]


def _of_rows(metrics: Mapping[str, JSON]) -> Iterator[str]:
    """Which rows of the data are not in the numbers."""
    settings = at(metrics, "settings")
    if number(at(metrics, "num_epochs")) > 1:
        yield f"{asked_in_words(metrics)}: n counts each epoch"
    rows, asked = number(at(settings, "num_rows")), number(at(metrics, "num_questions"))
    malformed, twice = number(at(settings, "num_malformed")), number(at(settings, "num_duplicates"))
    if malformed or twice:
        parts = [f"{asked:,.0f} asked"]
        parts += [f"{malformed:,.0f} malformed"] if malformed else []
        parts += [plural(twice, "duplicate")] if twice else []
        rest = rows - asked - malformed - twice
        parts += [f"{rest:,.0f} not selected"] if rest > 0 else []
        yield f"{plural(rows, 'row')}: {', '.join(parts)}"
    if outside := number(at(settings, "num_stored_outside")):
        are = "answer is" if outside == 1 else "answers are"
        yield f"{outside:,.0f} stored {are} outside --limit/--shard/--epochs and not in these numbers"


def _of_verdicts(metrics: Mapping[str, JSON]) -> Iterator[str]:
    if why := at(metrics, "headline", "why"):
        yield f"no headline: {why}"
    causes = [(cause, count) for cause, count in _items(metrics, "no_verdict") if number(count)]
    for place, (cause, count) in enumerate(causes):
        first = at(metrics, "first_errors", cause)
        told = f"no verdict: {number(count):,.0f} {cause} ({meaning(cause)}{f'; first {first}' if first else ''})"
        bounds = at(metrics, "bounds", str(at(metrics, "headline", "column")))
        if place == len(causes) - 1 and isinstance(bounds, list):
            told += f"; counted as wrong {percent(bounds[0])} %, as right {percent(bounds[1])} %"
        yield told
    if unread := number(at(metrics, "unreadable")):
        yield f"{plural(unread, 'answer')} could not be read, counted as wrong"
    told, judge = at(metrics, "judged"), at(metrics, "settings", "judge", "name")
    n, given = number(at(told, "n")), number(at(told, "verdicts"))
    if given < n:
        common = number(at(told, "num_why"))
        often = "" if common == n - given else f" ({common:,.0f} times)"
        yield f"judge {judge}: verdicts on {given:,.0f} of {n:,.0f} questions; why not{often}: {at(told, 'why')}"


def _of_columns(metrics: Mapping[str, JSON]) -> Iterator[str]:
    """Verdicts that are over fewer questions than were asked."""
    if apart := [plural(count, f"{kind} question") for kind, count in _items(metrics, "headline", "apart")]:
        told = f"{number(at(metrics, 'headline', 'n')):,.0f} of {number(at(metrics, 'n')):,.0f} questions"
        yield f"headline and columns: over {told}; {' and '.join(apart)} measured apart, see the stratum kind"
    values, published = at(metrics, "headline", "values"), number(at(metrics, "headline", "num_macro"))
    if isinstance(values, list) and len(values) < published:
        over = at(metrics, "headline", "mean_over")
        yield f"mean over {len(values)} of the {published:,.0f} published values of {over}: not the published number"
    for column, _ in _items(metrics, "coverages"):
        kinds = [(kind, number(count)) for kind, count in _items(metrics, "not_defined", column)]
        if kinds:
            listed = " and ".join(f"{kind} questions ({count:,.0f})" for kind, count in kinds)
            asked = number(at(metrics, "asked", column))
            yield f"{column}: over {asked:,.0f} of {number(at(metrics, 'n')):,.0f}; not defined for {listed}"


def _of_intervals(metrics: Mapping[str, JSON]) -> Iterator[str]:
    videos, effective = number(at(metrics, "num_videos")), number(at(metrics, "num_videos_effective"))
    if at(metrics, "headline", "value") is not None and at(metrics, "headline", "interval") is None:
        over = at(metrics, "headline", "mean_over")
        alone = "all questions are about one video" if videos == 1 else "all verdicts are about one video"
        yield f"no interval: {f'a value of {over} has verdicts about one video only' if over else alone}"
    elif videos > 1 and effective < _UNEVEN * videos:
        most, n = number(at(metrics, "most_per_video")), number(at(metrics, "n"))
        yield (
            f"one video holds {most:,.0f} of {n:,.0f} questions: {videos:,.0f} videos so uneven tell as much as "
            f"{effective:.1f} even ones, so the interval is wide"
        )


def _price(metrics: Mapping[str, JSON]) -> Iterator[str]:
    if number(at(metrics, "usage", "num_unpriced")):
        yield "price unknown: set LONGTAKE_PRICES"


def _items(metrics: JSON | Mapping[str, JSON], *path: str) -> Sequence[tuple[str, JSON]]:
    found = at(metrics, *path)
    return [*found.items()] if isinstance(found, dict) else []
