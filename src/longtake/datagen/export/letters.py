"""Right letters in balance: moving the right option of a question, where its words allow that.

A text that speaks of letters, numbers or the order of the options would be wrong after a move. So when in doubt, a
question stays as it is, and is counted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import replace

from ...agents.prompt import LETTERS
from ..values import Question
from .items import Item

__all__ = ["Balance"]

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


class Balance:
    """Moves right options, one question after the other, so that every letter is right equally often.

    The right option goes to the place that was right least often until now, of equal ones to one drawn from the
    question's id. The other options keep their order."""

    def __init__(self) -> None:
        self._times_right = Counter[tuple[int, int]]()

    def moved(self, item: Item) -> Item | None:
        """None when it must stay as it is: its words may speak of letters, numbers or the order of the options, or
        there is a trace, whose conversation shows the options as they were. An item without options is given back."""
        options, right = item.question.options, item.right
        if right is None:
            return item
        stays = item.trace is not None or _holds_on(item.question)
        place = right if stays else self._next_place(len(options), item.id)
        self._times_right[len(options), place] += 1
        if stays:
            return None
        others = [*options[:right], *options[right + 1 :]]
        moved = (*others[:place], options[right], *others[place:])
        return replace(item, question=replace(item.question, options=moved, answer=LETTERS[place]))

    def _next_place(self, num_options: int, id_: str) -> int:
        times = [self._times_right[num_options, place] for place in range(num_options)]
        least = [place for place, count in enumerate(times) if count == min(times)]
        return least[int(hashlib.sha256(id_.encode()).hexdigest(), 16) % len(least)]


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
