"""Multiple choice: which of up to 26 options an answer names. One extractor, strict and lenient.

Nothing is guessed: an answer that names none, several, or a letter beside the words of another option names none. A
letter that is an option's counts before an option's text that is a letter. A bare number is read as the text of an
option only: whether ``2`` is the second or the third, answers do not say; ``a2`` is the third, as TVQA's data count.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import ScoringError
from ..types import Sample, Score, Trace
from .announcing import (
    IS_RIGHT,
    IS_THE_ANSWER,
    SAYS,
    SUGGESTS,
    answer_from,
    is_conditional,
    is_doubted,
    is_taken_back,
)
from .base import ARTICLES, UNREAD, answer_of, target_of
from .naming import (
    JOIN,
    LETTERS,
    Named,
    denied,
    letter_at,
    letters_in,
    plain,
    words_at,
    words_in,
    words_with_units,
)
from .numbers import whole_number

__all__ = ["choice", "choice_strict", "extract_choice", "strict_choice"]

_DRESS = " \t\r\n.,:;!?'’\"“”*_`()[]{}<>$\\【】「」"
_TAGS = re.compile(r"\\boxed\b|\\(?:text|mathrm|textbf|mathbf)\b|</?[a-z_]+>", re.IGNORECASE)
_TVQA = re.compile(r"a(\d)")
_LED = re.compile(r"\W*([A-Za-z])\s+")
_LABELLED = re.compile(r"\W*([A-Za-z])(?:[^\w\s'’&+#/-][\s)\]}*_:\"“‘]*|\s+(?:[-–—|]|[-=]>)\s+|\s*\n\s*)(?=\S)")
"""A letter that is set apart from the words after it, so that it is no article."""
_OWN_LETTER = re.compile(r"\s*[(\[]?([A-Z])[).:\]]\s*")

_OPTION_WORD = re.compile(r"(?:option|choice|letter|answer)\s*[(\[]?\s*\Z", re.IGNORECASE)
_LEADING = re.compile(
    r"\W*?(?:(?:the\s+)?(?:option|choice|letter)\s+)?(?=(?:[(\[<【「]\s*)?[A-Za-z](?![^\W_]))", re.IGNORECASE
)
_GOES_ON = re.compile(
    r"\s+\(?(?:[A-Z]|(?:because|since|is|was|not|rather|instead|over|the|it|they|he|she|there|this|that|in|at|on|with|as|by|which|both|best|fits|describes|shows)\b)"
)
_LAST = re.compile(r"[,:;]\s*(?:(?:but|so|perhaps|maybe|probably)\s+)?(?=\W{0,2}[A-Z]\W*\Z)")
_NEAR = 20
_YES_NO = frozenset(("yes", "no"))
_TWO_WORDS = _YES_NO | {"true", "false"}
_ENDS_YES_NO = re.compile(
    r"\s*(?:[,.;:!)\n]|-\s|—|\Z)|\s+(?:he|she|it|they|there|the|i|we|you|because|since|as|this|that)\b", re.IGNORECASE
)
"""What follows a ``no`` that answers, and not the one of ``no longer``, ``no idea``, ``yes and no``."""
_BETWEEN = re.compile(
    r"\b(?:between|among|amongst|out of)\s+(?:the\s+)?(?:(?:option|choice)s?\s+)?[A-Z]\b"
    r"(?:(?:\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+)[A-Z]\b)+"
)
"""Options that are only up for choice."""
_ASIDE = re.compile(r"\s*[,.:;]?\s*(?=[(\[])")
_THAT = re.compile(r"\bthat\s+(?:the\s+|a\s+|an\s+)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Reply:
    """What was said, in ordinary characters, and where the words of options stand in it."""

    text: str
    options: Sequence[str]
    words: Sequence[Named]
    refused: frozenset[int] = frozenset()
    """Where options begin that an announcement names only to deny, doubt or condition them."""

    @property
    def num_letters(self) -> int:
        return min(len(self.options), len(LETTERS))

    def letter(self, at: int) -> Named | None:
        """The option whose letter stands at ``at``, unless it is part of an option's words (``Vitamin D``)."""
        found = letter_at(self.text, at, self.num_letters)
        return found if found and not self._in_words(found) else None

    def letters(self) -> list[Named]:
        return [found for found in letters_in(self.text, self.num_letters) if not self._in_words(found)]

    def words_from(self, at: int) -> Named | None:
        """The option whose words begin at ``at``, but for brackets and an article."""
        found = bisect_left(self.words, at, key=lambda one: one.start)
        if found == len(self.words) or self.words[found].start > at + _NEAR:
            return None
        gap = words_in(self.text[at : self.words[found].start])
        return self.words[found] if gap in ([], ["a"], ["an"], ["the"]) else None

    def denies(self, named: Named) -> bool:
        return named.start in self.refused or denied(self.text, named, self.num_letters)

    def is_yes_no(self, named: Named) -> bool:
        return " ".join(words_in(self.options[named.index])) in _YES_NO

    def listed(self, first: Named) -> set[int]:
        """``first``, the letters listed with it, the option whose words follow its letter, a letter in brackets."""
        found, last = {first.index}, first
        aside = _ASIDE.match(self.text, first.end)
        if aside and (letter := self.letter(aside.end())) and letter.marked and not self.denies(letter):
            found.add(letter.index)
        if follows := self.words_from(last.end):
            found.add(follows.index)
        while join := JOIN.match(self.text, last.end):
            other = self.letter(join.end())
            if other is None or (not join[0].strip() and not other.marked):
                break
            if other.index not in found and not self.denies(other):
                found.add(other.index)
            last = other
        return found

    def _in_words(self, letter: Named) -> bool:
        at = bisect_right(self.words, letter.start, key=lambda one: one.start)
        return any(
            letter.end <= one.end and one.end - one.start > letter.end - letter.start
            for one in self.words[max(0, at - 3) : at]
        )


def strict_choice(text: str, choices: Sequence[str]) -> int | None:
    """The index of the option that ``text`` is: its letter, its whole text, both as shown, or ``a0``, ``a1``...

    Case, brackets, punctuation and marks of Markdown do not matter; any other word beside it does."""
    said = _TAGS.sub(" ", unicodedata.normalize("NFKC", text)).strip(_DRESS)
    if len(said) == 1 and said.isascii() and said.isalpha():
        index = LETTERS.index(said.upper())
        if index < len(choices):
            return index
    options = _bare(choices)
    literal = _literal(text)
    if literal and len(same := [i for i, option in enumerate(options) if _literal(option) == literal]) == 1:
        return same[0]
    if (led := _LABELLED.match(said)) and (index := LETTERS.index(led[1].upper())) < len(options):
        return index if index in _same_words(said[led.end() :], options) else None
    if len(same := _same_words(said, options)) == 1:
        return same[0]
    if (led := _LED.match(said)) and not same:
        index = LETTERS.index(led[1].upper())
        if index in _same_words(said[led.end() :], options):
            return index
    if (named := _TVQA.fullmatch(said.casefold())) and int(named[1]) < len(choices) and not same:
        return int(named[1])
    return None


def extract_choice(text: str, choices: Sequence[str]) -> int | None:
    """The index of the option that ``text`` decides on, in whatever words; None where it names none or several.

    In this order: what `strict_choice` reads; the last announced answer (``... so the answer is C``), a last line or a
    beginning that is a letter, the only letter in brackets, the only option whose words are there. What the text
    denies (``not B``, ``C is wrong``) is not named."""
    if (index := strict_choice(text, choices)) is not None:
        return index
    said, options = _BETWEEN.sub(lambda listed: " " * len(listed[0]), plain(text)), _bare(choices)
    reply = _Reply(said, options, words_at(said, options))
    reply = replace(reply, refused=frozenset(_refused(reply)))
    rules: tuple[Callable[[_Reply], set[int]], ...] = (
        _number,
        _decided,
        _last_line,
        _leading,
        _called_right,
        _closing,
        _lettered,
        _worded,
    )
    for rule in rules:
        if found := rule(reply):
            return found.pop() if len(found) == 1 else None
    return None


def choice(trace: Trace, sample: Sample) -> Score:
    """1 if the answer names the right option, 0 if another one or none. ``target`` is a letter or an option's text."""
    return _score("choice", trace, sample, extract_choice)


def choice_strict(trace: Trace, sample: Sample) -> Score:
    """1 if the answer is the right option and nothing else (`strict_choice`), else 0."""
    return _score("choice_strict", trace, sample, strict_choice)


def _score(name: str, trace: Trace, sample: Sample, read: Callable[[str, Sequence[str]], int | None]) -> Score:
    try:
        answer, target = answer_of(trace), target_of(sample)
        right = strict_choice(target, sample.choices)
        if right is None:
            raise ScoringError(f"the target {target!r} is none of the {len(sample.choices)} options")
    except ScoringError as e:
        return Score(name, None, error=str(e))
    chosen = read(answer, sample.choices)
    if chosen is None:
        return Score(name, 0.0, f"{UNREAD}answered no option, right is {_letter(right)}")
    return Score(name, float(chosen == right), f"answered {_letter(chosen)}, right is {_letter(right)}")


def _letter(index: int) -> str:
    return LETTERS[index] if index < len(LETTERS) else f"option {index + 1}"


def _bare(choices: Sequence[str]) -> list[str]:
    """The options without the letters before them, if all have theirs."""
    marks = [_OWN_LETTER.match(option) for option in choices]
    own = [mark is not None and mark[1] == letter for mark, letter in zip(marks, LETTERS, strict=False)]
    if len(choices) > 1 and len(own) == len(choices) and all(own):
        return [option[mark.end() :] for option, mark in zip(choices, marks, strict=True) if mark]
    return list(choices)


def _literal(text: str) -> str:
    """``text`` with its accents and signs: ``C++`` is not ``C``, nor ``<5`` ``>5``."""
    return " ".join(_TAGS.sub(" ", unicodedata.normalize("NFKC", text)).casefold().split()).rstrip(".")


def _same_words(said: str, options: Sequence[str]) -> list[int]:
    """The options of the same words, with the same units if one has them."""
    if not (words := [word for word, _, _ in words_with_units(said)]):
        return []
    alike = [i for i, option in enumerate(options) if [word for word, _, _ in words_with_units(option)] == words]
    return alike or [i for i, option in enumerate(options) if words_in(option) == words_in(said)]


# ------------------------------------------------------------------------------------ rules, the surest first


def _number(reply: _Reply) -> set[int]:
    """The option that is the same number in other writing: ``two`` for ``2``."""
    number = whole_number(reply.text)
    return set() if number is None else {i for i, option in enumerate(reply.options) if whole_number(option) == number}


def _decided(reply: _Reply) -> set[int]:
    """What the answer that is announced last names; ``it is B`` does at the end, or where nothing else does.

    Two announcements in a row of different options (``Answer: A\\nAnswer: B``) name both."""
    announced = [one for one in (*_announced(reply, SAYS), *_called(reply, IS_THE_ANSWER)) if not reply.denies(one[1])]
    suggested = [one for one in _announced(reply, SUGGESTS) if one[1].marked and not reply.denies(one[1])]
    announced += [one for one in suggested if not announced or not words_in(reply.text[one[1].end :])]
    if not announced:
        return set()
    announced.sort(key=lambda one: one[1].start)
    last = announced[-1][1]
    found = reply.listed(last)
    for start, before in ((announced[-1][0], one[1]) for one in announced[:-1]):
        if before.end <= start and not set(words_in(reply.text[before.end : start])) - set(ARTICLES):
            found.add(before.index)
    return found


def _announced(reply: _Reply, says: re.Pattern[str]) -> Iterator[tuple[int, Named]]:
    """Where each announcement begins and what it names."""
    for match in says.finditer(reply.text):
        at = answer_from(reply.text, match.end())
        if named := reply.letter(at):
            yield match.start(), named
        elif (named := reply.words_from(at)) is None or _THAT.search(match[0]):
            continue
        elif not reply.is_yes_no(named) or _ENDS_YES_NO.match(reply.text, named.end):
            yield match.start(), named


def _refused(reply: _Reply) -> Iterator[int]:
    """Where the options begin that are announced and in the same breath denied, doubted, conditioned or taken back."""
    for says in (SAYS, SUGGESTS):
        for match in says.finditer(reply.text):
            at = answer_from(reply.text, match.end())
            named = reply.letter(at) or reply.words_from(at)
            doubted = is_doubted(reply.text, match.start()) or is_conditional(reply.text, match.start(), match.end())
            if named and (doubted or is_taken_back(reply.text, named.end)):
                yield named.start
    for start, named in _called(reply, IS_RIGHT):
        if is_doubted(reply.text, start) or is_taken_back(reply.text, named.end):
            yield named.start


def _called_right(reply: _Reply) -> set[int]:
    """What is said to be correct, with the letters that are listed before it."""
    found = set[int]()
    for _, named in _called(reply, IS_RIGHT):
        if not reply.denies(named):
            found |= reply.listed(named)
    return found


def _called(reply: _Reply, is_right: re.Pattern[str]) -> Iterator[tuple[int, Named]]:
    """The first of the letters that are listed before ``is correct``, or the words; and where it begins."""
    first: Named | None = None
    last: Named | None = None
    for named in reply.letters():
        join = JOIN.fullmatch(reply.text, last.end, named.start) if last else None
        if first is None or join is None or not join[0].strip():
            first = named
        if is_right.match(reply.text, named.end):
            yield first.start, first
        last = named
    for named in reply.words:
        if is_right.match(reply.text, named.end):
            yield named.start, named


def _last_line(reply: _Reply) -> set[int]:
    """A letter alone on the last of several lines, if no other is alone on one."""
    lines = [line.strip(_DRESS) for line in reply.text.splitlines() if line.strip(_DRESS)]
    alone = [LETTERS.index(line.upper()) for line in lines if re.fullmatch(r"[A-Za-z]", line)]
    if len(lines) < 2 or not alone or len(lines[-1]) > 1:
        return set()
    return {index for index in alone if index < reply.num_letters}


def _leading(reply: _Reply) -> set[int]:
    """The letter (or yes, or no) that an answer opens with, unless others follow."""
    opening = _LEADING.match(reply.text)
    first = reply.letter(opening.end()) if opening else None
    if first is None or opening is None:
        yes = next((one for one in reply.words if not words_in(reply.text[: one.start])), None)
        ends = yes and _ENDS_YES_NO.match(reply.text, yes.end)
        return {yes.index} if yes and ends and " ".join(words_in(reply.options[yes.index])) in _TWO_WORDS else set()
    if reply.denies(first):
        return set()
    own = (follows := reply.words_from(first.end)) is not None and follows.index == first.index
    if not (first.marked or own or words_in(opening[0]) or _GOES_ON.match(reply.text, first.end)):
        return set()
    found = reply.listed(first)
    for one in reply.letters():
        labels = not own or ((said := reply.words_from(one.end)) is not None and said.index == one.index)
        if one.index not in found and one.start > first.start and labels and not reply.denies(one):
            found.add(one.index)
    return found


def _closing(reply: _Reply) -> set[int]:
    """The letter that the text ends with, after a comma or colon, if it is the only one."""
    match = _LAST.search(reply.text)
    named = reply.letter(match.end()) if match else None
    if named is None or words_in(reply.text[named.end :]):
        return set()
    return {one.index for one in [named, *reply.letters()] if not reply.denies(one)}


def _lettered(reply: _Reply) -> set[int]:
    """The only letter in brackets, or after ``option``, if no other option's words are there."""
    found = set[int]()
    for one in reply.letters():
        apart = reply.text[one.start] in "([<【「" or _OPTION_WORD.search(reply.text, max(0, one.start - 12), one.start)
        if one.index not in found and apart and not reply.denies(one):
            found.add(one.index)
    worded = _worded(reply)
    return found if not worded or found & worded == found else found | worded


def _worded(reply: _Reply) -> set[int]:
    """Every option whose words are there and not denied; yes and no are said in passing, and not counted.

    Nor is what stands before a doubted announcement: ``whether the man left I cannot say the answer is B``."""
    found, last = set[int](), max(reply.refused, default=-1)
    for one in reply.words:
        if one.start > last and one.index not in found and not reply.is_yes_no(one) and not reply.denies(one):
            found.add(one.index)
    return found
