"""Words of a text as measures count them. Pure.

Chinese and Japanese have no spaces: there a character counts as a word, and two neighbours as one that says something.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

__all__ = ["content_words", "num_words", "words_of"]

_CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)*")
_ONE_CJK = re.compile(f"[{_CJK}]")
_RUN = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)*")
_ENDINGS = re.compile(r"(?<=\w\w\w)(?:['’]s|ing|ed|es|(?<!s)s)\Z")
_LAST = re.compile(r"(?<=\w\w)(?:e|(\w)\1)\Z")
_COMMON = frozenset(
    "a an and are as at be because been before after but by can did do does during for from had has have he her him his"
    " how i if in into is it its of on or she so than that the their them then there these they this those to was we"
    " were what when where which while who whom whose why will with would you your not no yes".split()
)
"""Words that say nothing about what is asked or answered."""


def words_of(text: str) -> list[str]:
    """Lower case, accents kept, punctuation dropped; Chinese and Japanese character by character."""
    return _WORD.findall(_plain(text))


def num_words(text: str) -> int:
    """What stands between spaces, and every Chinese or Japanese character."""
    parts = text.split()
    mixed = [part for part in parts if _ONE_CJK.search(part)]
    return len(parts) - len(mixed) + sum(len(words_of(part)) for part in mixed)


def content_words(text: str) -> frozenset[str]:
    """The different words of a text without the common ones; with them if there are no others.

    Words are cut to a rough stem, so that ``repairs bicycles`` and ``repair the bicycle`` are alike."""
    words = list[str]()
    for run in _RUN.findall(_plain(text)):
        pairs = ["".join(pair) for pair in pairwise(run)] if _ONE_CJK.match(run) else []
        words += pairs or [run]
    rare = [word for word in words if word not in _COMMON]
    return frozenset(map(_stem, rare or words))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _stem(word: str) -> str:
    """``repairs``, ``repaired`` and ``repairing`` as ``repair``; too much is cut rather than too little."""
    cut = _ENDINGS.sub("", word)
    cut = _LAST.sub(lambda end: end[1] or "", cut)
    return cut[:-1] + "i" if len(cut) > 2 and cut.endswith("y") else cut
