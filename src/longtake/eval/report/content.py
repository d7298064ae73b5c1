"""What the page of an evaluation holds: the numbers of its runs, and as many of their questions as fit. No I/O.

Bounded, so that the page opens at once: every question has a short row, failures have their whole text first, and
their turns, until the room for each is used up. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import orjson

from ...errors import ConfigError
from ...page.turns import cut, turn_json
from ...types import JSON, Trace
from ..contestant import BASELINES
from ..items import Graded, Item
from .columns import value_of
from .compare import compare
from .notes import TERMS, asked_in_words, notes
from .table import at

__all__ = ["Run", "comparisons", "kind_of_run", "page_data"]

_ROW_BYTES, _TEXT_BYTES, _TURN_BYTES = 2_500_000, 1_000_000, 1_000_000
_IN_ROW, _IN_TEXT, _IN_RESULT = 140, 1500, 400
_MAX_TURNS = 16
_MAX_RUNS_COMPARED = 5
"""Every pair of so many runs; with more, each with the first."""


def _nothing(id: str, epoch: int) -> None:
    del id, epoch


@dataclass(frozen=True, slots=True)
class Run:
    """A run as a report shows it. ``metrics`` is what `summarise` made of ``graded``; ``items`` are its questions by
    id. ``trace`` gives the trace of an (id, epoch), ``link`` where it can be looked at, seen from the page; both may
    have none."""

    name: str
    metrics: Mapping[str, JSON]
    graded: Sequence[Graded]
    items: Mapping[str, Item]
    trace: Callable[[str, int], Trace | None] = _nothing
    link: Callable[[str, int], str | None] = _nothing


def kind_of_run(metrics: Mapping[str, JSON]) -> str:
    """What a reader must know before comparing it, "" for an ordinary run."""
    gold, name = at(metrics, "settings", "gold_given"), at(metrics, "settings", "who", "name")
    said = [f"baseline {name}"] if name in BASELINES else []
    return " · ".join([*said, f"made with gold: {gold}"] if gold else said)


def comparisons(runs: Sequence[Run]) -> list[JSON]:
    """What `compare` says of the runs two by two, in the headline column of the first of each two."""
    found: list[JSON] = []
    few = len(runs) <= _MAX_RUNS_COMPARED
    for a, b in combinations(runs, 2) if few else [(runs[0], other) for other in runs[1:]]:
        if not {one.id for one in a.graded} & {one.id for one in b.graded}:
            found.append({"a": a.name, "b": b.name, "problem": "they share no question"})
            continue
        try:
            one = compare(_own(a), _own(b), str(at(a.metrics, "headline", "column")))
        except ConfigError as e:
            found.append({"a": a.name, "b": b.name, "problem": str(e)})
        else:
            found.append({"a": a.name, "b": b.name, **one})
    return found


def _own(run: Run) -> list[Graded]:
    """The questions that the headline is over."""
    apart = at(run.metrics, "headline", "apart")
    return [one for one in run.graded if not isinstance(apart, dict) or one.kind not in apart]


def page_data(runs: Sequence[Run]) -> dict[str, JSON]:
    """The object that the script of the page reads."""
    keys = dict.fromkeys((one.id, one.epoch) for run in runs for one in run.graded)
    columns = [str(at(run.metrics, "headline", "column")) for run in runs]
    by_key = [{(one.id, one.epoch): one for one in run.graded} for run in runs]
    answers = {key: [held.get(key) for held in by_key] for key in keys}
    places = {key: place for place, key in enumerate(keys)}
    rows: dict[tuple[str, int], dict[str, JSON]] = {}
    room = {"row": _ROW_BYTES, "text": _TEXT_BYTES, "turns": _TURN_BYTES}

    def fits(what: str, value: JSON) -> bool:
        room[what] -= len(orjson.dumps(value))
        return room[what] >= 0

    for key in sorted(keys, key=lambda key: (_interest(answers[key], columns), places[key])):
        row = _row(runs, key, answers[key], columns)
        if not fits("row", row):
            break
        if room["text"] > 0 and fits("text", text := _text(runs, key, answers[key])):
            row["text"] = text
        if room["turns"] > 0 and fits("turns", turns := [_turns(run, key) for run in runs]):
            row["turns"] = turns
        rows[key] = row
    shown = [rows[key] for key in keys if key in rows]
    return {
        "runs": [_of_run(run) for run in runs],
        "terms": [[term, told] for term, told in TERMS.items()],
        "comparisons": comparisons(runs),
        "num_questions": len(keys),
        "num_with_text": sum("text" in row for row in shown),
        "num_with_turns": sum("turns" in row for row in shown),
        "questions": [*shown],
    }


def _of_run(run: Run) -> JSON:
    return {
        "name": run.name,
        "kind": kind_of_run(run.metrics),
        "asked": asked_in_words(run.metrics),
        "notes": [*notes(run.metrics)],
        "metrics": dict(run.metrics),
    }


def _state(one: Graded | None, column: str) -> str:
    """``right``, ``wrong`` or ``none`` (no verdict) in the headline column, ``absent`` where it was not asked."""
    if one is None:
        return "absent"
    value = value_of(one, column)
    return "none" if value is None else "right" if value > 0.5 else "wrong"


def _interest(answers: Sequence[Graded | None], columns: Sequence[str]) -> int:
    """Failures first, then where graders or runs differ, then what is wrong, then the rest."""
    states = {_state(one, column) for one, column in zip(answers, columns, strict=True)} - {"absent"}
    if "none" in states:
        return 0
    verdicts = [
        {value > 0.5 for name in ("strict", "lenient", "judge") if (value := value_of(one, name)) is not None}
        for one in answers
        if one is not None
    ]
    if len(states) > 1 or any(len(held) > 1 for held in verdicts):
        return 1
    return 2 if "wrong" in states else 3


def _row(
    runs: Sequence[Run], key: tuple[str, int], answers: Sequence[Graded | None], columns: Sequence[str]
) -> dict[str, JSON]:
    one = next(one for one in answers if one is not None)
    item = next((run.items[key[0]] for run in runs if key[0] in run.items), None)
    row: dict[str, JSON] = {
        "id": key[0],
        "question": cut(item.sample.question if item is not None else "", _IN_ROW),
        "strata": {name: [*values] for name, values in one.strata.items()},
        "runs": [None if a is None else _answer(a, column) for a, column in zip(answers, columns, strict=True)],
    }
    return row if not key[1] else {**row, "epoch": key[1]}


def _answer(one: Graded, column: str) -> JSON:
    told: dict[str, JSON] = {"state": _state(one, column)}
    told["scores"] = {name: None if s.value is None else round(s.value, 3) for name, s in one.scores.items()}
    if one.answer is not None:
        told["answer"] = cut(one.answer, 60)
    if one.unreadable:
        told["unreadable"] = True
    if told["state"] == "none":
        told["cause"] = one.why_not(column)
    return told


def _text(runs: Sequence[Run], key: tuple[str, int], answers: Sequence[Graded | None]) -> JSON:
    item = next((run.items[key[0]] for run in runs if key[0] in run.items), None)
    told: dict[str, JSON] = {
        "runs": [None if a is None else _in_full(a, run) for a, run in zip(answers, runs, strict=True)]
    }
    if item is not None:
        sample = item.sample
        told |= {
            "question": cut(sample.question, _IN_TEXT),
            "options": [cut(option, _IN_RESULT) for option in sample.choices],
            "target": None if sample.target is None else cut(sample.target, _IN_RESULT),
            "spans": [[span.start, span.end] for span in sample.target_spans],
            "video": item.video_name or item.video_id,
        }
    return told


def _in_full(one: Graded, run: Run) -> JSON:
    told: dict[str, JSON] = {
        "answer": None if one.answer is None else cut(one.answer, _IN_TEXT),
        "error": None if one.error is None else cut(one.error, _IN_RESULT),
        "notes": {name: cut(note, _IN_RESULT) for name, s in one.scores.items() if (note := s.error or s.explanation)},
        "frames": one.usage.num_frames,
        "tokens": one.usage.input_tokens + one.usage.output_tokens,
        "cost_usd": one.usage.cost_usd,
        "seconds": round(one.seconds, 2),
        "link": run.link(one.id, one.epoch),
    }
    if one.looked is not None:
        looked = one.looked
        told["looked"] = {
            "looks": looked.num_looks,
            "shown": looked.shown,
            "hit": looked.hit,
            "coverage": looked.coverage,
            "iou": looked.iou,
        }
    return told


def _turns(run: Run, key: tuple[str, int]) -> JSON:
    trace = run.trace(*key)
    if trace is None:
        return None
    shown = trace.turns[-_MAX_TURNS:]
    return {
        "first": len(trace.turns) - len(shown),
        "turns": [turn_json(turn, length=_IN_TEXT, result_length=_IN_RESULT) for turn in shown],
    }
