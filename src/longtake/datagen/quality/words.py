"""Words of a text as measures count them. Pure."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["content_words", "num_words", "words_of"]

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_COMMON = frozenset(
    "a an and are as at be because been before after but by can did do does during for from had has have he her him his"
    " how i if in into is it its of on or she so than that the their them then there these they this those to was we"
    " were what when where which while who whom whose why will with would you your not no yes".split()
)
"""Words that say nothing about what is asked or answered."""


def words_of(text: str) -> list[str]:
    """Lower case, accents kept, punctuation dropped."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def num_words(text: str) -> int:
    return len(text.split())


def content_words(text: str) -> frozenset[str]:
    """The different words of a text without the common ones; with them if there are no others."""
    words = frozenset(words_of(text))
    return (words - _COMMON) or words
