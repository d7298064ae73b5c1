"""Numbers in words and figures, with their units: reading them, and the scorer that compares them. Pure.

Read are ``1,170``, ``-5``, ``minus 5``, ``three``, ``two hundred and five``, ``1.2 million``, ``12k``, ``45 %``,
``$5``, ``90 min``; not the figures of ``10:30``, ``A5``, ``5th``. A number without a unit equals the same one with any.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import ScoringError
from ..types import Sample, Score, Trace
from .base import UNREAD, answer_of, target_of

__all__ = ["Quantity", "figures", "number", "quantities", "same", "stated", "whole_number"]

_ONES = {word: i for i, word in enumerate("zero one two three four five six seven eight nine".split())}
_TEENS = {
    word: i
    for i, word in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(), 10
    )
}
_TENS = {word: 10 * i for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_SHORT_SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9}
_SMALL = {**_ONES, **_TEENS, **_TENS, "a": 1, "an": 1, "dozen": 12}


def _any(words: Mapping[str, object]) -> str:
    return rf"(?:{'|'.join(words)})"


_BELOW_100 = rf"(?:{_any(_TENS)}(?:(?:\s|-){_any(_ONES)})?|{_any(_TEENS)}|{_any(_ONES)})"
_BELOW_1000 = rf"(?:(?:{_BELOW_100}|an?)\s+hundred(?:\s+(?:and\s+)?{_BELOW_100})?|{_BELOW_100})"
_SCALED = rf"(?:{_BELOW_1000}|an?)\s+{_any(_SCALES)}"
_IN_WORDS = re.compile(
    rf"\b(?:{_SCALED}(?:,?\s+(?:and\s+)?{_SCALED})*(?:,?\s+(?:and\s+)?{_BELOW_1000})?|{_BELOW_1000}|a\s+dozen|dozen)"
    rf"(?P<point>\s+point(?:\s+{_any(_ONES)})+)?\b",
    re.IGNORECASE,
)
_FIGURE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?:[\u00a0\u2009\u202f'’]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SPELLED: Mapping[str, tuple[str, float]] = {
    spelling: (dimension, factor)
    for dimension, units in {
        "%": {"% percent pct": 1},
        "s": {
            "ms millisecond milliseconds": 0.001,
            "s sec secs second seconds": 1,
            "min mins minute minutes": 60,
            "h hr hrs hour hours": 3600,
            "day days": 86400,
            "week weeks": 604800,
        },
        "m": {
            "mm millimeter millimeters millimetre millimetres": 0.001,
            "cm centimeter centimeters centimetre centimetres": 0.01,
            "m meter meters metre metres": 1,
            "km kilometer kilometers kilometre kilometres": 1000,
            "inch inches": 0.0254,
            "ft foot feet": 0.3048,
            "yd yard yards": 0.9144,
            "mile miles": 1609.344,
        },
        "kg": {
            "g gram grams": 0.001,
            "kg kilogram kilograms kilo kilos": 1,
            "lb lbs": 0.45359237,
            "oz ounce ounces": 0.0283495,
        },
        "l": {"ml milliliter milliliters millilitre millilitres": 0.001, "l liter liters litre litres": 1},
        "$": {"$ dollar dollars usd": 1, "cent cents": 0.01},
        "€": {"€ euro euros eur": 1},
        "£": {"£ gbp": 1},
        "km/h": {"km/h kph kmh": 1, "mph": 1.609344},
        "°": {"° degree degrees": 1},
        "°c": {"°c celsius": 1},
        "°f": {"°f fahrenheit": 1},
    }.items()
    for spellings, factor in units.items()
    for spelling in spellings.split()
}
_CASED = "smhgl"
"""Units that are a letter: a capital is none (``5G``), or another (``5M``)."""
_UNIT = "|".join(
    rf"(?-i:{spelling})" if spelling in _CASED else re.escape(spelling)
    for spelling in sorted(_SPELLED, key=len, reverse=True)
)
_LETTER = r"[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""Of scripts that put spaces between words."""
_QUANTITY = re.compile(
    rf"(?P<sign>(?<![\w.)%])[-+]|\b(?:minus|negative)\s+)?(?P<before>[$€£]\s?)?(?<!{_LETTER})(?<!{_LETTER}-)(?<!\d:)(?<![\d.])"
    rf"(?P<figure>{_FIGURE})(?!\d|\.\d|:\d)(?:\s+(?P<scale>{_any(_SCALES)})\b|(?P<short>k|(?-i:M)|mn|bn)(?!\w))?"
    rf"(?:[\s-]?(?P<unit>{_UNIT})(?!\w))?(?<!\d(?={_LETTER}))",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:!?\n]|\.(?!\d)|\bbut\b", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|without|except|rather than|instead of)|n['’]t)\s+(?:\w+\s+){0,2}\Z", re.I
)
_BOUND_BEFORE = re.compile(
    r"(?:\b(?:more|less|fewer|greater|higher|lower|larger|smaller|bigger|other)\s+than|\bat\s+(?:least|most)"
    r"|\b(?:over|under|above|below|beyond|up\s+to|minimum\s+of|maximum\s+of|exceed\w*)|[<>≤≥]=?)\s*(?:the\s+)?\Z",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"\s*(?:\+|(?:\w+\s+)?(?:or|and)\s+(?:more|less|fewer|above|up|below)\b|plus\b)", re.IGNORECASE
)
_LABEL = re.compile(
    r"(?:\b(?:scene|room|frame|option|choice|step|chapter|part|episode|season|level|page|number|no\.|question|channel|route"
    r"|clip|shot|video|track|door|figure)\s*|#)\Z",
    re.IGNORECASE,
)
_ANNOUNCED_BEFORE = re.compile(
    r"(?:\b(?:answer|total|count|result|number|sum)(?:\s+\w+){0,5}?\s*(?:\b(?:is|was|are|be|of)\b|[:=])|=|\\boxed\s*\{"
    r"|\b(?:so|thus|therefore|hence|altogether|in total|i (?:say|choose))\b,?"
    r"(?:\s+(?:there (?:are|is|were|was)|it is|it['’]s))?)"
    r"\s*:?\s*(?:(?:about|exactly|approximately)\s+)?[*_\s\"'$({\[]*\Z",
    re.IGNORECASE,
)
_ANNOUNCED_AFTER = re.compile(r"\s*(?:\w+\s+)?(?:in total|altogether|overall|in all)\b", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)")
_FAR = 60


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number at ``text[start:end]`` of the text in `figures`, its unit ``("s", 60.0)`` for minutes, None for none."""

    value: float
    unit: tuple[str, float] | None
    start: int
    end: int


def figures(text: str) -> str:
    """``text`` in ordinary characters, with its number words as figures: ``twenty-four`` is ``24``."""
    ordinary = unicodedata.normalize("NFKC", text.replace("½", ".5")).replace("−", "-").replace("per cent", "percent")
    return _IN_WORDS.sub(lambda match: _figure(match[0]), ordinary)


def quantities(text: str) -> list[Quantity]:
    """The numbers of `figures` of a text, in order."""
    found = list[Quantity]()
    for match in _QUANTITY.finditer(text):
        figure = re.sub(r"[^\d.]", "", match["figure"])
        if len(figure) > 300:
            continue  # nobody's number, and beyond what floats hold
        value = float(figure) * {**_SCALES, **_SHORT_SCALES}.get((match["scale"] or match["short"] or "").lower(), 1.0)
        unit = match["unit"] or (match["before"] or "").strip()
        is_negative = (match["sign"] or "+").strip().lower() in ("-", "minus", "negative")
        found.append(
            Quantity(-value if is_negative else value, _SPELLED[unit.lower()] if unit else None, *match.span())
        )
    return found


def whole_number(text: str) -> float | None:
    """The number that the whole text is, in words or figures, without a unit; else None."""
    said = figures(text).strip(" \t\n,;:!?()[]'\"").rstrip(".")
    found = quantities(said)
    return (
        found[0].value
        if len(found) == 1 and found[0].unit is None and found[0].end - found[0].start == len(said)
        else None
    )


def same(one: Quantity, other: Quantity) -> bool:
    """Whether both are the same number, to a relative 1e-6; in the same unit, where both have one."""
    a, b = one.value, other.value
    if one.unit and other.unit:
        if one.unit[0] != other.unit[0]:
            return False
        a, b = a * one.unit[1], b * other.unit[1]
    return abs(a - b) <= 1e-6 * max(1.0, abs(b))


def stated(text: str) -> list[Quantity]:
    """The numbers that `figures` of a text says something is; none of a text that denies one of them as well.

    Not the ones that are denied (``not 5``), mere bounds (``more than 5``) or names (``scene 5``), nor what stands in
    brackets beside another."""
    found, denied = list[Quantity](), list[Quantity]()
    for one in quantities(text):
        before, start = text[max(0, one.start - _FAR) : one.start], max(0, one.start - _FAR)
        if _DENIED.search(_CLAUSE.split(before)[-1]):
            denied.append(one)
        elif not (
            _BOUND_BEFORE.search(before) or _BOUND_AFTER.match(text, one.end) or _LABEL.search(text, start, one.start)
        ):
            found.append(one)
    if any(same(one, other) for one in found for other in denied):
        return []
    aside = [match.span() for match in _BRACKETS.finditer(text)]
    outside = [one for one in found if not any(start < one.start < end for start, end in aside)]
    return outside or found


def number(trace: Trace, sample: Sample) -> Score:
    """1 if the number that the answer states (`stated`) equals the target's (`same`).

    Of several different ones the last that is announced counts (``the answer is 5``, ``= 5``, ``5 in total``); without
    an announcement the answer states none. Number words count where there are no figures: ``the last one`` is no 1."""
    try:
        answer, target = answer_of(trace), target_of(sample)
    except ScoringError as e:
        return Score("number", None, error=str(e))
    right = next(iter(_read(target, quantities)[1][::-1]), None)
    if right is None:
        return Score("number", None, error=f"the target {sample.target!r} holds no number")
    text, found = _read(answer, stated)
    if len(found) > 1 and right.unit is None:
        found = [one for one in found if one.unit is None] or found
    announced = [one for one in found if _is_announced(text, one)]
    said = announced[-1] if announced else next(iter(found), None)
    if said is None:
        return Score("number", 0.0, f"{UNREAD}the answer {answer!r} states no number, right is {right.value:g}")
    if not announced and not all(same(one, said) for one in found):
        return Score("number", 0.0, f"{UNREAD}answered {answer!r}, which states several, right is {right.value:g}")
    return Score("number", float(same(said, right)), f"answered {said.value:g}, right is {right.value:g}")


def _read(text: str, read: Callable[[str], list[Quantity]]) -> tuple[str, list[Quantity]]:
    """What is read of the text and where; of its number words only if it has no figures."""
    ordinary = unicodedata.normalize("NFKC", text).replace("−", "-")
    said = ordinary if quantities(ordinary) else figures(text)
    return said, read(said)


def _is_announced(text: str, one: Quantity) -> bool:
    before = text[max(0, one.start - _FAR) : one.start]
    return _ANNOUNCED_BEFORE.search(before) is not None or _ANNOUNCED_AFTER.match(text, one.end) is not None


def _figure(words: str) -> str:
    """``two hundred and five`` -> ``205``."""
    whole, _, decimals = words.lower().partition(" point ")
    total, group = 0.0, 0.0
    for word in re.split(r"[\s,-]+", whole):
        if word == "hundred":
            group = (group or 1) * 100
        elif word == "dozen":
            group = 12
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0.0
        elif word in _SMALL:
            group += _SMALL[word]
    digits = "".join(str(_ONES[word]) for word in decimals.split())
    return f"{int(total + group)}" + (f".{digits}" if digits else "")
