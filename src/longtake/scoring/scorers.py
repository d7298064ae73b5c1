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

__all__ = ["Scorer", "choice", "contains", "exact", "extract_choice", "format_", "number", "temporal_iou"]

Scorer: TypeAlias = Callable[[Trace, Sample], Score]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEADING_LETTER = re.compile(
    r"^\W*(?:(?:the )?(?:best |correct |final )?(?:answer|option|choice)(?: is)?\W*)*([A-Z])\b(?!['’])", re.I
)
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_THOUGHT_THEN_ANSWER = re.compile(r"<think>.*?</think>.*<answer>.*?</answer>\s*\Z", re.DOTALL)


def extract_choice(text: str, choices: Sequence[str]) -> int | None:
    """The index of the option that ``text`` names: by letter, by its whole text, or as the only one mentioned.

    None when it names none or several: nothing is guessed."""
    plain = _normal(text)
    same = [i for i, option in enumerate(choices) if _normal(option) == plain]
    if len(same) == 1:
        return same[0]
    if found := _LEADING_LETTER.match(text.strip()):
        index = _LETTERS.index(found[1].upper())
        rest = _normal(text.strip()[found.end() :])
        is_article = (
            found[1] in "aAI" and bool(rest) and not text.strip()[found.end() :].lstrip().startswith((".", ":", ")"))
        )
        if index < len(choices) and not is_article:
            return index
    mentioned = [i for i, option in enumerate(choices) if f" {_normal(option)} " in f" {plain} "]
    return mentioned[0] if len(mentioned) == 1 else None


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
    return _compare("contains", trace, sample, lambda answer, target: f" {target} " in f" {answer} ")


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
    """The best overlap (intersection over union) of a stated span, or a time range in the answer, with a gold span."""
    try:
        answer = _answer(trace)
    except ScoringError as e:
        return Score("temporal_iou", None, error=str(e))
    if not sample.target_spans:
        return Score("temporal_iou", None, error="the sample has no gold span")
    spans: list[TimeSpan] = [evidence.span for evidence in trace.evidence]
    if written := split_span(answer):
        spans.append(written[0])
    best = max((span.iou(gold) for span in spans for gold in sample.target_spans), default=0.0)
    return Score("temporal_iou", best, f"{len(spans)} spans against {len(sample.target_spans)}")


def format_(trace: Trace, sample: Sample) -> Score:
    """1 if the last reply is ``<think>...</think> ... <answer>...</answer>``, the form the seeds train for."""
    if not trace.turns:
        return Score("format", None, error=trace.error or "the model said nothing")
    right = _THOUGHT_THEN_ANSWER.search(trace.turns[-1].output.text) is not None
    return Score("format", float(right), "" if right else "not <think>...</think> then <answer>...</answer>")


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
