"""Where a text names options of a question: by letter or by their words, and whether it denies them. Pure.

Knows how options are written; `choice` decides which one is meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .base import ARTICLES, tokens

__all__ = [
    "JOIN",
    "LETTERS",
    "Named",
    "denied",
    "letter_at",
    "letters_in",
    "plain",
    "words_at",
    "words_in",
    "words_with_units",
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_IN_WORD = rf"[^\W{_CJK}]"
"""A letter or digit of scripts that put spaces between words."""
_OPEN, _CLOSE = r"[(\[<【「]\s*", r"\s*[)\]>】」]"
_LETTER = re.compile(
    rf"(?<!{_IN_WORD})(?<!['’&.\-])(?:(?P<open>{_OPEN})?(?P<letter>[A-Za-z])(?P<close>{_CLOSE})?)(?!{_IN_WORD})(?!['’&]|[+#](?!\s?[A-Z]\b))"
)
_MARK = re.compile(r"\s*(?:[).:,;!?/\]]|-+\s|–|—|→|=>|\n|$)")
"""What follows a letter that names an option rather than begins a sentence."""
_AFTER_LETTER = re.compile(r"\s+(?:because|since|is|was|and|or|nor|but|instead)\b", re.I)
"""Words that follow a letter, and never an article."""
_FAR = 80
"""Characters in which a denial is looked for."""
_NO_WORDS = "BCDEFGHJKLMNOPQRSTUVWXYZ"
"""Letters that name an option whatever follows: no words by themselves."""
_NO_LETTER = re.compile(r"-\w|\.[A-Za-z]\b|\.\s?[A-Z]\.")
"""After the letter of ``T-shirt``, ``U.S.``, ``J. K. R.``"""
JOIN = re.compile(
    r"\s*(?:,|/|&|\+|、|;|\b(?:and|or|nor|and/or)\b|和|或)\s*(?:(?:and|or|nor|also)\b\s*)*(?:the\s+)?(?:(?:option|choice)s?\s+)?",
    re.I,
)
_WORD = re.compile(rf"[{_CJK}]|[^{_CJK}]+")
_UNIT = re.compile(r"[$€£¥%]")
_AUXILIARY = frozenset("will may mark can might bill grant frank rob sue drew pat march august hope grace".split())
"""Words that are a name as well: that one has a capital in the text, as it has among the options."""
_OPTION_WORD = re.compile(r"\b(?:option|choice)\s*[#(]?\s*\Z", re.I)
_BREAK = re.compile(
    r"[.;:!?\n。；：！？]|(?<!yone )(?<!no one )(?<!ybody )(?<!obody )(?<!ything )(?<!othing )(?<!all )\bbut\b"
    r"|\bhowever\b",
    re.I,
)
_DENY_BEFORE = re.compile(
    r"(?:\b(?:not|no|never|neither|nor|without|except|excluding|unlike|than|(?:instead|other|apart) (?:of|than|from)"
    r"|(?:(?:any|every|no) ?(?:one|body|thing)|all) but|eliminat\w+|exclud\w+|reject\w*"
    r"|rul\w+ out|cannot be|cross\w* out|discard\w*|dismiss\w*)|n['’]t|不|没|非|除|无)"
    r"\s*(?:(?:be|only|the|an?|option|choice|letter|answer|about|say|think|true that|the case that|是|了|选项?)s?\s*)"
    r"{0,3}[\s(\[\"]*$",
    re.I,
)
_BE = r"(?:is|are|was|were|can|could|does|do|did|has|have|would|will|wo|ca|must|seems?|looks?|appears?)"
_DENY_AFTER = re.compile(
    rf"\s*\?\s*no\b|[\s)\].:\"]*(?:{_BE}\b\s*)?"
    r"(?:(?:all|both|each|clearly|also|definitely|obviously|therefore|thus|be|to be|simply"
    r"|just)\s+)*"
    r"(?:not\b|n['’]t\b|cannot\b|wrong\b|incorrect\b|false\b|impossible\b|unlikely\b|implausible\b|ruled out\b|out\b"
    r"|eliminated\b|excluded\b|unsupported\b|错|不)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Named:
    """An option that is named at ``text[start:end]``; ``marked``: by a letter that can be nothing else."""

    index: int
    start: int
    end: int
    marked: bool = False


def plain(text: str) -> str:
    """``text`` in ordinary characters (full width ones are not), without the marks of Markdown and LaTeX."""
    said = unicodedata.normalize("NFKC", text)
    said = re.sub(r"\\boxed\s*\{\s*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{)?([^{}]*)\}?\s*\}", r" answer: \1 ", said)
    said = re.sub(r"<tool_call>.*?(?:</tool_call>|\Z)", " ", said, flags=re.S)
    said = re.sub(r"</?answer>", lambda tag: " " if "/" in tag[0] else " answer: ", said, flags=re.I)
    said = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", said)
    said = re.sub(r"\$([^$\n]*)\$", r" \1 ", said)
    return re.sub(r"[*_`\"“”\\{}]|\$(?!\d)|</?[a-z_]+>", " ", said)


def letter_at(text: str, at: int, num_options: int) -> Named | None:
    """The option whose letter stands at ``at``, brackets and all; None where it is an article or a word."""
    match = _LETTER.match(text, at)
    if match is None:
        return None
    index = LETTERS.index(match["letter"].upper())
    if index >= num_options:
        return None
    closed = match["close"] is not None
    if closed and match["open"] is not None:
        return Named(index, at, match.end(), True)
    bare_end = match.end("letter")
    if _NO_LETTER.match(text, bare_end):
        return None
    end = match.end() if closed else bare_end
    marked = closed or _MARK.match(text, bare_end) is not None
    named = match["letter"] in _NO_WORDS or _OPTION_WORD.search(text, max(0, at - 12), at)
    if not marked and not named and not _AFTER_LETTER.match(text, bare_end):
        return None
    if not marked and match["letter"] == "I":
        return None
    return Named(index, match.start("letter") if match["open"] else at, end, marked)


def letters_in(text: str, num_options: int) -> Iterator[Named]:
    """Every capital letter of an option, and every small one in brackets, in order."""
    at = 0
    while (match := _LETTER.search(text, at)) is not None:
        at = match.end("letter")
        found = letter_at(text, match.start(), num_options)
        if found and (match["letter"].isupper() or (match["open"] and match["close"])):
            yield found


def words_at(text: str, options: Sequence[str]) -> list[Named]:
    """Every place where the words of an option stand, in order, but for those within the words of a longer one.

    Not the 3 of ``option 3``, which may be the third, nor ``the dog's`` for the dog, nor ``it may`` for May."""
    read = words_with_units if _differ_by_units(options) else _words
    said, wanted = read(text), [[word for word, _, _ in read(option)] for option in options]
    by_first: dict[str, list[int]] = {}
    for index, words in enumerate(wanted):
        if words:
            by_first.setdefault(words[0], []).append(index)
    found = [
        Named(index, start, said[i + len(wanted[index]) - 1][2])
        for i, (word, start, _) in enumerate(said)
        for index in by_first.get(word, ())
        if [one for one, _, _ in said[i : i + len(wanted[index])]] == wanted[index]
    ]
    found = [one for one in found if not _means_other(text, one, options[one.index])]
    whole, reached = list[Named](), -1
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.end > reached or (whole and (whole[-1].start, whole[-1].end) == (one.start, one.end)):
            whole.append(one)
            reached = max(reached, one.end)
    return whole


def words_in(text: str) -> list[str]:
    """The words of ``text`` as options are compared: no case, accents, punctuation, articles or units."""
    return [word for word, _, _ in _words(text)]


def words_with_units(text: str) -> list[tuple[str, int, int]]:
    """The words of ``text``, ``$5`` and ``5%`` apart from ``5``, and where each begins and ends."""
    words = [
        (part[0], start, end) if part[0] == word else (part[0], start + part.start(), start + part.end())
        for word, start, end in tokens(text)
        for part in _WORD.finditer(word)
    ]
    return [word for word in words if word[0] not in ARTICLES] or words


def denied(text: str, named: Named, num_options: int) -> bool:
    """Whether ``text`` says that this option is not it: ``not B``, ``A, B and C are wrong``, ``rule out (B)``."""
    before = text[max(0, named.start - _FAR) : named.start]
    while (listed := _list_before(before, num_options)) is not None:
        before = before[:listed]
    if _DENY_BEFORE.search(_BREAK.split(before)[-1][-60:]):
        return True
    after = named.end
    while after < named.end + _FAR and (join := JOIN.match(text, after)):
        other = letter_at(text, join.end(), num_options)
        if other is None:
            break
        after = other.end
    return _DENY_AFTER.match(text, after) is not None


def _list_before(before: str, num_options: int) -> int | None:
    """Where the letter begins that is listed just before: 2 for ``A, `` and ``A or `` within ``xxA, ``."""
    match = re.search(rf"(?:{_OPEN})?\b[A-Z](?:{_CLOSE})?{JOIN.pattern}\Z", before[-40:])
    if match is None or letter_at(match[0], 0, num_options) is None:
        return None
    return max(0, len(before) - 40) + match.start()


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(bare, start, end) for word, start, end in words_with_units(text) if (bare := _UNIT.sub("", word))]


def _differ_by_units(options: Sequence[str]) -> bool:
    """Whether some options are the same but for their units: ``5`` and ``5%``."""
    with_units = {tuple(word for word, _, _ in words_with_units(option)) for option in options}
    return len({tuple(words_in(option)) for option in options}) < len(with_units)


def _means_other(text: str, named: Named, option: str) -> bool:
    said, word = text[named.start : named.end], option.strip(" .")
    if word.casefold() in _AUXILIARY and word[0].isupper() and not said[0].isupper():
        return True
    if re.match(r"['’]s\b", text[named.end : named.end + 3]) and not said.endswith("s"):
        return True
    return said[0].isdigit() and _OPTION_WORD.search(text, max(0, named.start - 12), named.start) is not None
