"""How well words support a question: the arithmetic under the embedded `reader`. Pure, no model, no I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..types import Source, TimeSpan

__all__ = [
    "Line",
    "about_writing",
    "content_words",
    "coverage",
    "expected_form",
    "passages",
    "stem",
    "without_speaker",
    "without_writing_words",
]

_STOP = frozenset(
    "a an and are as at be been being but by can could did do does doing for from had has have having he her hers "
    "him his how i if in into is it its many me much my no not of off on or our out over shall she should so some "
    "such than that the their them then there these they this those to too under up us was we were what when where "
    "which while who whom whose why will with would you your say says said tell tells told video clip happen "
    "happens happened according please name".split()
)
_WRITING = frozenset(
    "sign signs logo screen written shown show shows poster caption captions title label board banner plate text "
    "print printed display displayed visible billboard plaque notice headline read reads".split()
)
_WORD = re.compile(r"\d+(?:[.:,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_SPEAKER = re.compile(r"^[A-ZÀ-Þ][^\s:]*(?: [A-ZÀ-Þ][^\s:]*){0,2}: ")
MIN_PART = 5
_SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s", "e")
_FORMS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        re.compile(r"\b(who|whose|whom)\b|\bname of the (man|woman|person|speaker|author)\b|\bwhat name\b", re.I),
        re.compile(r"\b(?:[A-ZÀ-Þ]{2,}(?: [A-ZÀ-Þ]{2,}){1,3}|[A-ZÀ-Þ][a-zß-ÿ'’]+(?: [A-ZÀ-Þ][a-zß-ÿ'’]+){1,3})\b"),
    ),
    (
        re.compile(r"\b(cost|price|how much|fare|fee)\b", re.I),
        re.compile(r"[$€£¥]\s?\d|\d\s?(?:[$€£¥]|euros?|dollars?|pounds?|crowns?|cents?)|\d+[.,]\d\d", re.I),
    ),
    (re.compile(r"\b(phone|telephone)\b", re.I), re.compile(r"\d[\d -]{4,}\d")),
    (
        re.compile(r"\bwhat time\b|\bat which time\b|\bwhen (?:does|do|will|is)\b", re.I),
        re.compile(
            r"\b\d{1,2}[:.]\d\d\b|\bo'?clock\b|\bhalf past\b|\bquarter (?:past|to)\b|\bnoon\b|\bmidnight\b", re.I
        ),
    ),
    (
        re.compile(r"\b(how many|how old|what year|which year|what number|which number|how long|how far)\b", re.I),
        re.compile(
            r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundred)\b", re.I
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of timed text as a tool showed it."""

    span: TimeSpan
    source: Source
    text: str


def stem(word: str) -> str:
    """A crude stem: endings off while three letters stay, a doubled last letter made single."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def content_words(text: str) -> dict[str, float]:
    """Stems of the words that carry meaning, with a weight: names and numbers count double."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    weights = dict[str, float]()
    for position, word in enumerate(_WORD.findall(plain)):
        low = re.sub(r"['’]s$", "", word.lower())
        if low in _STOP or (len(low) == 1 and not low.isdigit()):
            continue
        special = low[0].isdigit() or (position > 0 and word[0].isupper())
        key = stem(low)
        weights[key] = max(weights.get(key, 0.0), 2.0 if special else 1.0)
    return weights


def coverage(wanted: dict[str, float], text: str) -> float:
    """The share of ``wanted`` (by weight) that ``text`` contains, in [0, 1]; 0 when nothing is wanted.

    A word inside a longer one ("night" in "tonight") counts half."""
    found = content_words(text)
    shares = ((weight, _presence(word, found)) for word, weight in wanted.items())
    return sum(weight * share for weight, share in shares) / (sum(wanted.values()) or 1.0)


def _presence(word: str, found: dict[str, float]) -> float:
    if word in found:
        return 1.0
    return 0.5 if len(word) >= MIN_PART and any(word in longer for longer in found) else 0.0


def without_speaker(text: str) -> str:
    """A line without the "Ada: " of whoever says it: the name of a speaker is not what is said."""
    return _SPEAKER.sub("", text)


def about_writing(question: str) -> bool:
    """Whether the question asks for something written in the picture."""
    return any(word in _WRITING for word in re.findall(r"[a-z-]+", question.lower()))


def without_writing_words(wanted: dict[str, float]) -> dict[str, float]:
    """``wanted`` without words such as "sign" or "logo": they say where to look and are not written there."""
    writing = {stem(word) for word in _WRITING}
    return {word: weight for word, weight in wanted.items() if word not in writing}


def expected_form(question: str) -> re.Pattern[str] | None:
    """What the answer must look like (a name, a price, a time, a number), None when the question does not tell."""
    return next((form for asks, form in _FORMS if asks.search(question)), None)


def passages(lines: Iterable[Line], *, gap_seconds: float = 4.0, most: int = 3) -> list[Sequence[Line]]:
    """Every run of one to ``most`` neighbouring lines of a source: the answer may stand beside the question's words."""
    by_source = dict[Source, list[Line]]()
    for line in sorted(set(lines), key=lambda line: line.span):
        by_source.setdefault(line.source, []).append(line)
    found = list[Sequence[Line]]()
    for ordered in by_source.values():
        for start in range(len(ordered)):
            for end in range(start + 1, min(start + most, len(ordered)) + 1):
                run = ordered[start:end]
                if any(b.span.start - a.span.end > gap_seconds for a, b in pairwise(run)):
                    break
                found.append(run)
    return found
