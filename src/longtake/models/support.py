"""How well words support a question: the arithmetic under the embedded `reader`. Pure, no model, no I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..types import Source, TimeSpan

__all__ = [
    "Line",
    "about_writing",
    "content_words",
    "coverage",
    "expected_form",
    "names_asked",
    "passages",
    "stem",
    "wanted_words",
    "without_speaker",
]

_STOP = frozenset(
    "a an and are as at be been being but by can could did do does doing for from had has have having he her hers "
    "him his how i if in into is it its many me much my no not of off on or our out over shall she should so some "
    "such than that the their them then there these they this those to too under up us was we were what when where "
    "which while who whom whose why will with would you your say says said tell tells told video clip happen "
    "happens happened according please name".split()
)
_KINDS = frozenset(
    "name number time day date year colour color animal person people man woman place thing kind type sort word price "
    "phone telephone answer cost fare fee long far old often".split()
)
"""Words that say what kind of answer is wanted; the answer itself rarely holds them."""
_GENERAL = frozenset(
    "live eat drink go come take get give make made find found buy bring put keep leave look see want need use like "
    "talk speak ask call work big small old new good first last next many much people".split()
)
"""Words so common that they support little."""
_WRITING = frozenset(
    "sign signs logo screen written shown show shows poster caption captions title label board banner plate text "
    "print printed display displayed visible billboard plaque notice headline read reads".split()
)
_WORD = re.compile(r"\d+(?:[.:,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_SPEAKER = re.compile(r"^[A-ZÀ-Þ][^\s:]*(?: [A-ZÀ-Þ][^\s:]*){0,2}: ")
MIN_PART = 5
_SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s", "e")
_COUNT = (
    r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty"
    r"|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|dozen|once|twice|none)"
)
_NAME = re.compile(r"\b(?:[A-ZÀ-Þ]{2,}(?: [A-ZÀ-Þ]{2,}){1,3}|[A-ZÀ-Þ][a-zß-ÿ'’]+(?: [A-ZÀ-Þ][a-zß-ÿ'’]+){1,3})\b")
_WHO = re.compile(
    r"\b(who|whose|whom)\b|\bwhat name\b|\bname of the (man|woman|person|speaker|author)\b", re.IGNORECASE
)
_MONEY = r"(?:euros?|dollars?|pounds?|crowns?|cents?|francs?|yen)"
_DAYTIME = r"(?:noon|midnight|dawn|dusk|morning|evening|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
_FORMS = [
    (re.compile(asks, re.IGNORECASE), re.compile(form, re.IGNORECASE))
    for asks, form in (
        (
            r"\b(cost|price|how much|fare|fee)\b",
            rf"[$€£¥]\s?\d|{_COUNT}[\w -]*\s{_MONEY}\b|\d[.,]\d\d|\bfree\b",
        ),
        (r"\b(phone|telephone)\b", r"\d[\d -]{4,}\d"),
        (
            r"\bwhat time\b|\bat which time\b|\bwhen (?:does|do|will|is)\b",
            r"\b\d{1,2}[:.]\d\d\b|o'?clock\b|\bhalf past\b|\bquarter (?:past|to)\b"
            rf"|\bat {_COUNT}\b|\b{_DAYTIME}\b",
        ),
        (r"\b(how many|how old|what year|which year|what number|which number|how long|how far)\b", rf"\b{_COUNT}"),
        (
            r"\bcolou?rs?\b",
            r"\b(?:red|green|blue|white|black|yellow|gr[ea]y|brown|orange|purple|pink|gold(?:en)?|silver|violet)\b",
        ),
    )
]


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
    """Stems of the words that carry meaning, with a weight: the most common ones count less."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    weights = dict[str, float]()
    for word in _WORD.findall(plain):
        low = re.sub(r"['’]s$", "", word.lower())
        if low in _STOP or (len(low) == 1 and not low.isdigit()):
            continue
        key = stem(low)
        weights[key] = max(weights.get(key, 0.0), 0.4 if low in _GENERAL else 1.0)
    return weights


def coverage(wanted: dict[str, float], text: str) -> float:
    """The share of ``wanted`` (by weight) that ``text`` contains, in [0, 1]; 0 when nothing is wanted.

    A word inside a longer one ("night" in "tonight") counts half."""
    found = content_words(text)
    shares = ((weight, _presence(word, found)) for word, weight in wanted.items())
    return sum(weight * share for weight, share in shares) / (sum(wanted.values()) or 1.0)


def _presence(word: str, found: Collection[str]) -> float:
    if word in found:
        return 1.0
    parts = (a in b for other in found for a, b in ((word, other), (other, word)) if len(a) >= MIN_PART)
    return 0.5 if any(parts) else 0.0


def closeness(wanted: dict[str, float], text: str) -> float:
    """How near each other the wanted words stand in ``text``: their number by the length of the stretch they take."""
    words = list(content_words(text))  # in order, each once
    places = [i for i, word in enumerate(words) if word in wanted]
    return len(places) / (places[-1] - places[0] + 1) if places else 0.0


def without_speaker(text: str) -> str:
    """A line without the "Ada: " of whoever says it: the name of a speaker is not what is said."""
    return _SPEAKER.sub("", text)


def about_writing(question: str) -> bool:
    """Whether the question asks for something written in the picture."""
    return any(word in _WRITING for word in re.findall(r"[a-z-]+", question.lower()))


def wanted_words(question: str) -> dict[str, float]:
    """The words of a question that a passage must hold to answer it.

    Not "sign" or "logo", which say where to look, nor "colour" or "number", which say what kind of answer is wanted,
    unless nothing else is asked."""
    words = content_words(question)
    kinds = {stem(word) for word in _KINDS}
    writing = {stem(word) for word in _WRITING}
    particular = {word: weight for word, weight in words.items() if word not in kinds | writing}
    return particular or {word: weight for word, weight in words.items() if word not in writing}


def names_asked(question: str) -> re.Pattern[str] | None:
    """What a name looks like, if the question asks who; None if it does not."""
    return _NAME if _WHO.search(question) else None


def expected_form(question: str) -> re.Pattern[str] | None:
    """What an answer must look like (a price, a time, a number, a colour), None when the question does not tell."""
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
