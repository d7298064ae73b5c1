"""Open answers: the same words, words that hold the target's, or the same thing said a little differently.

None of these understands meaning; that is a judge's work.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import ScoringError
from ..types import Sample, Score, Trace
from .base import answer_of, normal, target_of
from .hedges import hedge
from .maths import is_expression, same_maths
from .numbers import figures, quantities, same, stated, whole_number

__all__ = ["contains", "exact", "mentions", "relaxed"]

_SHARE = 0.9
"""LongVT's: how much of the longer text the shorter one must be."""
_NOUNS = 2
"""So many words may follow a number that is asked for without a noun: ``3 red cars`` for ``3``."""
_DENIAL = re.compile(r"[\s,;(]*(?:and |but )?\bnot\s+\S+")
_FILLER = frozenset(
    (
        "about approximately around roughly exactly nearly almost total of in it is was were there are they s answer"
        " i we see saw seen can be count counted shown 有 共 一共 总共 是 约 約"
    ).split()
)


def exact(trace: Trace, sample: Sample) -> Score:
    """1 if the answer is the target but for case, accents, punctuation and articles; signs, units and points count."""
    return _compare("exact", trace, sample, lambda answer, target: normal(answer) == normal(target))


def contains(trace: Trace, sample: Sample) -> Score:
    """1 if the target's words stand in the answer as a phrase; for answers that are quotes."""
    return _compare("contains", trace, sample, mentions)


def mentions(answer: str, target: str) -> bool:
    """Whether `contains` would call ``answer`` right."""
    return _holds(normal(answer), normal(target))


def relaxed(trace: Trace, sample: Sample) -> Score:
    """1 if the answer is the target in other words of the same kind, and does not hedge.

    The same words, but for at most a tenth of the longer text; the same number (`numbers.same`), where the target is
    one with at most a unit and a noun; the same formula (`maths`). Answers that doubt, offer several or deny are 0.
    Raises `MissingExtraError` where the target is a formula and ``longtake[eval]`` is not installed."""
    try:
        answer, target = answer_of(trace), target_of(sample)
    except ScoringError as e:
        return Score("relaxed", None, error=str(e))
    said, right = normal(answer), normal(target)
    if said == right:
        return Score("relaxed", 1.0, f"answered {answer!r}, the same words")
    why = hedge(figures(answer), figures(target))
    if why is not None:
        return Score("relaxed", 0.0, f"{why}: answered {answer!r}, right is {target!r}")
    if _nearly(said, right):
        return Score("relaxed", 1.0, f"answered {answer!r}, nearly the same words as {target!r}")
    if _same_number(answer, target):
        return Score("relaxed", 1.0, f"answered {answer!r}, the same number as {target!r}")
    try:
        formulas = is_expression(target) or (is_expression(answer) and whole_number(target) is not None)
        same_formula = formulas and same_maths(answer, target)
    except ScoringError as e:
        return Score("relaxed", None, error=str(e))
    return Score("relaxed", float(same_formula), f"answered {answer!r}, right is {target!r}")


def _nearly(said: str, right: str) -> bool:
    """Whether one holds the other and is hardly longer, plurals apart."""
    shorter, longer = sorted((_singular(said), _singular(right)), key=len)
    return bool(shorter) and _holds(longer, shorter) and len(shorter) >= _SHARE * len(longer)


def _singular(text: str) -> str:
    return " ".join(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in text.split())


def _same_number(answer: str, target: str) -> bool:
    """Whether ``target`` is a number, with a unit or noun or both, and ``answer`` holds it and no other number."""
    said, right = figures(answer), figures(target)
    there, wanted = stated(said), quantities(right)
    if len(wanted) != 1 or not there or not all(same(one, wanted[0]) for one in there):
        return False
    nouns = _other_words(right, wanted[0].start, wanted[0].end)
    if len(nouns) > 1 or normal(right[: wanted[0].start]) not in _FILLER | {""}:
        return False
    if nouns:
        others = _other_words(said, there[0].start, there[0].end)
        return not others or nouns <= others
    before, after = said[: there[0].start], _DENIAL.sub(" ", said[there[-1].end :])
    return not _other_words(before, 0, 0) and len(_other_words(after, 0, 0)) <= _NOUNS


def _other_words(text: str, start: int, end: int) -> set[str]:
    """The words beside the number, without the s of plurals."""
    words = normal(f"{text[:start]} {text[end:]}").split()
    return {_singular(word) for word in words if word not in _FILLER}


def _holds(answer: str, target: str) -> bool:
    return f" {target} " in f" {answer} "


def _compare(name: str, trace: Trace, sample: Sample, same_: Callable[[str, str], bool]) -> Score:
    try:
        answer, target = answer_of(trace), target_of(sample)
    except ScoringError as e:
        return Score(name, None, error=str(e))
    return Score(name, float(same_(answer, target)), f"answered {answer!r}, right is {target!r}")
