"""Right letters in balance: moving the right option of a question, where its words allow that.

A text that speaks of letters, numbers or the order of the options would be wrong after a move. So when in doubt, a
question stays as it is, and is counted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import replace

from ...agents.prompt import LETTERS
from ..values import Question
from .items import Item

__all__ = ["balanced"]

_OPTION = r"(?:options?|choices?|answers?|alternatives?|candidates?|possibilit(?:y|ies)|letters?)"
_NUMBER = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|[ivx]+|\d{1,2})"
_PLACE = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|final|former|latter|next|previous"
    r"|preceding|following|penultimate|middle|top|bottom|upper|lower|\d{1,2}(?:st|nd|rd|th))"
)
_ORDER = re.compile(
    rf"\b{_PLACE}(?:[ -]+\w+){{0,3}}?[ -]+(?:{_OPTION}|ones?|listed)\b"
    rf"|\b{_OPTION}\W{{0,3}}(?:(?:number|no|nr)\b)?\W{{0,3}}{_NUMBER}\b"
    rf"|\b{_OPTION}\b[^.!?\n]{{0,20}}\b(?:above|below|listed|in (?:the )?order)\b"
    r"|(?:#|\bno\.|\bnumber)\s*(?:\d|one\b|two\b|three\b|four\b)"
    rf"|\blisted\s+(?:at\s+the\s+)?{_PLACE}\b"
    r"|\b(?:all|none|any|both|neither|either)\s+of\s+the\s+(?:above|below|options|choices|answers|others?)\b"
    r"|第\s*[一二三四五六七八九十\d]+\s*(?:个|個|项|项目|項|种|種|の?選択|の?选|番)"
    r"|(?:选项|選項|選択肢|选择|答案|正解)\s*[:：是为は]*\s*[一二三四五六七八九十\d]"
    r"|[一二三四五六七八九\d]+\s*(?:番目|つ目|番)",
    re.IGNORECASE,
)
_OTHERS = re.compile(r"\b(?:above|below|both|neither|(?:all|none) of)\b|以上|以下|上述|都(?:对|是|不)", re.IGNORECASE)
"""In an option: it speaks of the other ones."""
_LATIN = "A-Za-z0-9_À-ɏ'’"
_LETTER_GOES_ON = (
    r"(?:(?:and|or|nor|but|for|since|because|as|so|then|not|only|alone|best|right|correct|wrong|false|true|over|with"
    r"|can|could|will|would|should|must|may|might|cannot|did|had|were|seem|fit|match|if|when|while|by|to|in|at|on)\b"
    r"|(?:is|was|has|does|\w{3,}(?:s|ed|ly)|\w+n['’]t)\b)"
)
"""What follows a letter, and an article or a pronoun only now and then."""
_ARTICLE = re.compile(rf"(\A|[.!?]['\"”’)]*\s+|\n)([\s\"“‘*•-]*)A(?= (?!{_LETTER_GOES_ON})[a-zß-ÿ])")
_PRONOUN = re.compile(rf"(?<![{_LATIN}])I(?=['’][a-z]| (?!{_LETTER_GOES_ON})[a-z])")


def balanced(item: Item) -> Item | None:
    """The item with the right option at a place drawn from its id, so that over many items the letters are even.

    The other options keep their order. None when its words may speak of letters, numbers or the order of the options,
    or when there is a trace, whose conversation shows the options as they were."""
    options, right = item.question.options, item.right
    if right is None:
        return item
    place = int(hashlib.sha256(item.id.encode()).hexdigest(), 16) % len(options)
    if place == right:
        return item
    if item.trace is not None or _holds_on(item.question):
        return None
    others = [*options[:right], *options[right + 1 :]]
    moved = (*others[:place], options[right], *others[place:])
    return replace(item, question=replace(item.question, options=moved, answer=LETTERS[place]))


def _holds_on(question: Question) -> bool:
    """Whether the words of a question, its options or its reasoning may hold on to the order of the options."""
    texts = [unicodedata.normalize("NFKC", t) for t in (question.question, question.reasoning, *question.options)]
    if any(_names_letter(text, len(question.options)) or _ORDER.search(text) for text in texts):
        return True
    return any(_OTHERS.search(option) for option in texts[2:])


def _names_letter(text: str, num_options: int) -> bool:
    """Any capital of an option that stands alone (also between CJK characters), but for the article at the beginning of
    a sentence and the pronoun; a small one after a word for options, in brackets, or where it is a word nowhere."""
    big, small = LETTERS[:num_options], LETTERS[:num_options].lower()
    mute = "".join(letter for letter in small if letter not in "aeiouy")
    if re.search(rf"(?<![{_LATIN}])[{big}](?![{_LATIN}])", _PRONOUN.sub(" ", _ARTICLE.sub(r"\1\2 ", text))):
        return True
    marked = (
        rf"\b{_OPTION}\W{{0,3}}[{small}](?![{_LATIN}])",
        rf"\b{_OPTION}\s+(?:\w+\s+){{0,2}}(?:is|was|be)\W{{1,3}}[{small}](?!\w| \w|['’])",
        rf"[(\[{{（【*`\"“]\s*[{small}]\s*[)\]}}）】*`\"”.:]|(?<![{_LATIN}])[{small}]\)",
        rf"(?<![{_LATIN}])[{mute}](?![{_LATIN}])" if mute else r"(?!)",
    )
    return any(re.search(pattern, text) for pattern in marked)
