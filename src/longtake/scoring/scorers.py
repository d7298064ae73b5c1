"""Scorers: ``(Trace, Sample) -> Score``. The same functions measure, filter data and reward training.

A run without an answer gets no verdict and the reason, never 0; so does a sample whose gold is missing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..clock import split_span
from ..errors import ScoringError
from ..types import Sample, Score, TimeSpan, Trace

__all__ = [
    "Scorer",
    "choice",
    "contains",
    "exact",
    "extract_choice",
    "format_",
    "mentions",
    "number",
    "temporal_iou",
]

Scorer: TypeAlias = Callable[[Trace, Sample], Score]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEADING_LETTER = re.compile(
    r"^\W*(?:(?:the )?(?:best |correct |final |right )?(?:answer|option|choice)(?: is)?\W*)*([A-Z])\b(?!['’])",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?<![\w'’])([A-Z])(?![\w'’])")
_NUMBER = re.compile(r"(?:(?<![\w.])[-+])?\d[\d,]*(?:\.\d+)?")
_THOUGHT_THEN_ANSWER = re.compile(r"<think>.*?</think>.*<answer>.*?</answer>\s*\Z", re.DOTALL)


def extract_choice(text: str, choices: Sequence[str]) -> int | None:
    """The index of the option that ``text`` names: by its whole text, by letter, or as the only one mentioned.

    None when it names none or several: nothing is guessed."""
    plain = _normal(text)
    same = [i for i, option in enumerate(choices) if _normal(option) == plain]
    if len(same) == 1:
        return same[0]
    mentioned = [i for i, option in enumerate(choices) if f" {_normal(option)} " in f" {plain} "]
    lettered = _lettered(text.strip(), len(choices))
    if lettered is not None:
        return lettered if not mentioned or lettered in mentioned else None
    return mentioned[0] if len(mentioned) == 1 else None


def _lettered(text: str, num_choices: int) -> int | None:
    """The option whose letter opens ``text``, unless that is an article or other letters follow."""
    found = _LEADING_LETTER.match(text)
    if found is None:
        return None
    rest = text[found.end() :].lstrip("*_ ")
    if found[1] in "aAI" and rest and not rest.startswith((".", ":", ")", "]", ",", "-", "–")):
        return None
    others = {letter for letter in _LETTER.findall(rest) if letter not in ("A", "I")} - {found[1].upper()}
    index = _LETTERS.index(found[1].upper())
    known = {_LETTERS[i] for i in range(num_choices)}
    return index if index < num_choices and not others & known else None


def choice(trace: Trace, sample: Sample) -> Score:
    """1 if the answer names the right option, 0 if another one or none. ``target`` is a letter or an option's text."""
    try:
        answer, target = _answer(trace), _target(sample)
        right = extract_choice(target, sample.choices)
        if right is None:
            raise ScoringError(f"the target {target!r} is none of the {len(sample.choices)} options")
    except ScoringError as e:
        return Score("choice", None, error=str(e))
    chosen = extract_choice(answer, sample.choices)
    named = "no option" if chosen is None else _LETTERS[chosen]
    return Score("choice", float(chosen == right), f"answered {named}, right is {_LETTERS[right]}")


def exact(trace: Trace, sample: Sample) -> Score:
    """1 if the answer is the target but for case, accents, punctuation and articles."""
    return _compare("exact", trace, sample, lambda answer, target: answer == target)


def contains(trace: Trace, sample: Sample) -> Score:
    """1 if the target's words stand in the answer as a phrase; for answers that are quotes."""
    return _compare("contains", trace, sample, _holds)


def mentions(answer: str, target: str) -> bool:
    """Whether `contains` would call ``answer`` right."""
    return _holds(_normal(answer), _normal(target))


def number(trace: Trace, sample: Sample) -> Score:
    """1 if the last number in the answer equals the target's, to a relative 1e-6."""
    try:
        answer, target = _last_number(_answer(trace)), _last_number(_target(sample))
    except ScoringError as e:
        return Score("number", None, error=str(e))
    if target is None:
        return Score("number", None, error=f"the target {sample.target!r} holds no number")
    same = answer is not None and abs(answer - target) <= 1e-6 * max(1.0, abs(target))
    return Score("number", float(same), f"answered {answer}, right is {target}")


def temporal_iou(trace: Trace, sample: Sample) -> Score:
    """Overlap (intersection over union) of the span that the answer states with the gold span it fits best.

    The span is the time range in the answer, else the first of its evidence; where the agent merely looked does not
    count, and 0 is for an answer without any."""
    try:
        answer = _answer(trace)
    except ScoringError as e:
        return Score("temporal_iou", None, error=str(e))
    if not sample.target_spans:
        return Score("temporal_iou", None, error="the sample has no gold span")
    stated: list[TimeSpan] = [evidence.span for evidence in trace.answer.evidence] if trace.answer else []
    written = split_span(answer)
    span = written[0] if written else stated[0] if stated else None
    best = max((span.iou(gold) for gold in sample.target_spans), default=0.0) if span else 0.0
    return Score("temporal_iou", best, f"stated {span}" if span else "states no span")


def format_(trace: Trace, sample: Sample) -> Score:
    """1 if the last reply is ``<think>...</think> ... <answer>...</answer>``, the form the seeds train for.

    A run that failed for another reason than its form has no verdict."""
    try:
        _answer(trace)
    except ScoringError as e:
        if trace.stop_reason != "format_errors":
            return Score("format", None, error=str(e))
    right = _THOUGHT_THEN_ANSWER.search(trace.turns[-1].output.text) is not None
    return Score("format", float(right), "" if right else "not <think>...</think> then <answer>...</answer>")


def _holds(answer: str, target: str) -> bool:
    return f" {target} " in f" {answer} "


def _compare(name: str, trace: Trace, sample: Sample, same: Callable[[str, str], bool]) -> Score:
    try:
        answer, target = _answer(trace), _target(sample)
    except ScoringError as e:
        return Score(name, None, error=str(e))
    return Score(name, float(same(_normal(answer), _normal(target))), f"answered {answer!r}, right is {target!r}")


def _answer(trace: Trace) -> str:
    if trace.answer is None:
        raise ScoringError(f"there is no answer ({trace.stop_reason}): {trace.error}")
    return trace.answer.text


def _target(sample: Sample) -> str:
    if not sample.target:
        raise ScoringError(f"sample {sample.id} has no target")
    return sample.target


def _normal(text: str) -> str:
    """Lower case, no accents, no punctuation, no articles, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    words = "".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c)).split()
    return " ".join(word for word in words if word not in ("a", "an", "the")) or " ".join(words)


def _last_number(text: str) -> float | None:
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "")) if numbers else None
