"""What all scorers share: their type, the answer and the gold they compare, words without their dress. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..errors import ScoringError
from ..types import Sample, Score, Trace

__all__ = ["ARTICLES", "UNREAD", "Scorer", "answer_of", "normal", "target_of", "tokens"]

Scorer: TypeAlias = Callable[[Trace, Sample], Score]

UNREAD = "unread: "
"""How the explanation of a 0 begins where the answer states nothing of the kind that was asked for."""

ARTICLES = ("a", "an", "the")
_FIGURE = r"[.$€£¥]?\d"
_SIGNS = (
    rf"(?:(?<![-=<>\w)])(?<![\w)]\s)[<>≤≥]=?\s?(?=-?{_FIGURE}))?(?:(?<![\w)\]%])-(?={_FIGURE}))?"
    r"(?:[€£¥](?=\.?\d)|\$(?!\S*\$)(?=\.?\d))?(?:(?<![\w.])\.(?=\d))?"
)
_BETWEEN_TERMS = (
    rf"(?<=[\w)%])\s?[+^=<>≤≥×÷]\s?(?=-?[.$€£¥]?[\w(])|(?<=\d)\s?-\s?(?={_FIGURE})"
    r"|(?<=\d)[*/](?=\w)|(?<=\w)[*/](?=\d)|(?<=\d)\s[*/]\s(?=\d)"
)
_TOKEN = re.compile(
    # a word or figure with its bound and sign (<-5), its unit ($5, 5%) or its plus signs (C++)
    rf"{_SIGNS}(?:[^\W_]|(?<=\d)[.,:](?=\d))+(?:(?<=\d)\s?(?:%|percent\b|per\scent\b)|[+#]+(?!\w))?|{_BETWEEN_TERMS}",
    re.IGNORECASE,
)
_TAG_OR_ARROW = re.compile(r"</?[a-z_]+>|[-=]+>", re.IGNORECASE)
_DASHES = str.maketrans("‐‑‒–−⁄", "-----/")
_POWERS = str.maketrans({"²": "^2", "³": "^3"})
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_MARKED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")


def answer_of(trace: Trace) -> str:
    """The text of the answer. Raises `ScoringError` for a run that has none."""
    if trace.answer is None:
        raise ScoringError(f"there is no answer ({trace.stop_reason}): {trace.error}")
    return trace.answer.text


def target_of(sample: Sample) -> str:
    """The gold answer. Raises `ScoringError` for a sample without one."""
    if not sample.target:
        raise ScoringError(f"sample {sample.id} has no target")
    return sample.target


def normal(text: str) -> str:
    """Lower case, no accents, no punctuation but what makes another number or formula of it, no articles, single
    spaces."""
    words = [word for word, _, _ in tokens(unicodedata.normalize("NFKC", text.translate(_POWERS)))]
    return " ".join(word for word in words if word not in ARTICLES) or " ".join(words)


def tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of ``text`` as they are compared, and where each begins and ends in ``text``.

    ``-5``, ``3,000``, ``0:12``, ``$5``, ``5%``, ``<5`` and ``C++`` are words, and so are the signs of a formula.
    Accents are dropped where they are an ornament (Latin, Greek, Cyrillic) and kept where they make another letter."""
    shown = dashed = text.translate(_DASHES)
    if not shown.isascii():
        shown = "".join("x" if unicodedata.category(c) in ("Mn", "Mc") else c for c in shown)
    shown = _TAG_OR_ARROW.sub(lambda match: " " * len(match[0]), shown)
    for match in _TOKEN.finditer(shown):
        if word := _bare(dashed[match.start() : match.end()]):
            yield word, match.start(), match.end()


def _bare(word: str) -> str:
    if word.isascii() and word.isalnum():
        return word.lower()
    folded = "".join(word.casefold().replace("percent", "%").replace("per cent", "%").split())
    folded = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), folded)
    if folded.isascii():
        return folded
    kept, is_ornament = list[str](), True
    for c in unicodedata.normalize("NFKD", folded):
        if unicodedata.category(c) not in ("Mn", "Mc", "Me"):
            is_ornament = not c.isalpha() or unicodedata.name(c, "").startswith(_MARKED_SCRIPTS)
            kept.append(c)
        elif not is_ornament:
            kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept))
