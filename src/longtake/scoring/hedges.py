"""Open answers that hold the right words without giving them as the answer. Pure.

Scorers that look for the target's words in an answer take ``not red`` and ``red, or perhaps blue`` for ``red``. A trace
that hedges teaches to hedge, so such an answer is not kept, nor counted as right: it doubts, offers several, denies
the target, or is so long that anything may be in it. What the target itself says is no hedge. Doubt is known by words
of English, Chinese and Japanese.
"""

from __future__ import annotations

import re
import unicodedata

from .words import words_of

__all__ = ["hedge"]

_TIMES_LONGER, _MORE_WORDS = 3, 12
_TO_TELL = r"(?:tell|say|see|know|determine|answer|make out|be (?:sure|certain))"
_DOUBT = re.compile(
    r"\b(?:or|either|perhaps|maybe|possibly|probably|presumably|might|may be|could be|i guess|no idea|unsure|uncertain"
    r"|unclear|unknown|not (?:\w+ )?(?:sure|certain|clear|known)|(?:do not|don't) know"
    rf"|(?:can ?not|can't|could not|couldn't|unable to|impossible to|hard to|difficult to) (?:\w+ )?{_TO_TELL})\b"
    r"|或|也许|也許|可能|大概|不知道|不确定|不確定|无法|無法|かもしれ|おそらく|たぶん|わから|分から"
    r"|[^\W\d_]{3,} ?/ ?[^\W\d_]{3,}"
)
_CLAUSE = re.compile(r"[,;:.!?\n，。；：！？、]|\bbut\b")
_DENIALS = frozenset(
    "not no never nor neither none without except excluding unlike than instead 不 没 沒 非 無".split()
)
_REACH = 3
"""A denial so many words before the target is one of the target: ``not the colour red``."""


def hedge(answer: str, target: str) -> str | None:
    """Why ``answer``, which holds the words of ``target``, does not give it; None if it does."""
    said, right = _plain(answer), _plain(target)
    num_said, num_right = len(words_of(said)), len(words_of(right))
    if num_said > _TIMES_LONGER * num_right + _MORE_WORDS:
        return f"it hedges: {num_said} words for an answer of {num_right}"
    for doubt in _DOUBT.findall(said):
        if doubt not in _DOUBT.findall(right):
            return f"it hedges: {doubt!r}"
    return "it hedges: it denies the right answer" if _denies(said, right) else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def _denies(said: str, right: str) -> bool:
    """Whether the target stands in the answer only behind a denial in the same clause."""
    target = _words(right)
    denied = list[bool]()
    for clause in _CLAUSE.split(said):
        words = _words(clause)
        for at in range(len(words) - len(target) + 1):
            if words[at : at + len(target)] == target:
                before = words[max(0, at - _REACH) : at]
                denied.append(any(word in _DENIALS or word.endswith("n't") for word in before))
    return bool(denied) and all(denied)


def _words(text: str) -> list[str]:
    return [word for word in words_of(text) if word not in ("a", "an", "the")]
