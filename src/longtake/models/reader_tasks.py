"""How the embedded `reader` plays the tasks of the LongVideo-Reason recipe: by honest rules on words alone.

Each function takes the whole prompt of its task and returns the reply that the prompt asks for. The reader cannot see
pictures: what words do not tell, it abstains from. Pure and deterministic.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["TASKS"]

_CUE = re.compile(r"^\[[\d:.]+ - [\d:.]+ \| [\d.]+ - [\d.]+ s\] (subtitles|screen|speech): (.*)$", re.MULTILINE)
_DESCRIBED = re.compile(r"^From ([\d.]+) to ([\d.]+) s: (.*)$", re.MULTILINE)
_QUOTE = re.compile(r"[\"“]([^\"“”]+)[\"”]")
_TYPE = re.compile(r"^Type: (\w+)$", re.MULTILINE)
_NUMBER = re.compile(r"\bquestion (\d+) of \d+ of its type")
_LETTER = re.compile(r"stands at the letter ([A-D])\b")
_NOTES = re.compile(r"^Right answer: ([A-Z])\n\nNotes:\n(.*?)\n\nReply in this form", re.MULTILINE | re.DOTALL)
_STEP = re.compile(
    r"\bstep\s+\d+\b\s*[:.)-]*\s*|(?:\b(?:at|from|to|until|by)\s+)?\[?\b\d+(?::\d+)+(?:\.\d+)?\b\]?\s*,?\s*",
    re.IGNORECASE,
)
_SCREEN = "The screen reads "
_NUM_OPTIONS = 4


@dataclass(frozen=True, slots=True)
class _Line:
    """A quoted line and the part of the video it is quoted for, in the words of the prompt."""

    text: str
    times: str


def _caption(prompt: str) -> str:
    """What is said and written in the clip, quoted."""
    said, written = list[str](), list[str]()
    for source, text in _CUE.findall(prompt):
        lines = written if source == "screen" else said
        quote = " ".join(re.sub(r"[\"“”]", "'", text).split())
        if quote not in lines[-1:] and any(c.isalnum() for c in quote):
            lines.append(quote)
    sentences = list[str]()
    if said:
        sentences.append(f"Someone says {_listed(said, 'then')}.")
    if written:
        sentences.append(f"{_SCREEN}{_listed(written, 'and reads')}.")
    if not sentences:
        return _abstain("there are no words in this clip, and the reader cannot see pictures")
    return f"<caption>{' '.join(sentences)}</caption>"


def _listed(quotes: Sequence[str], between: str) -> str:
    return f", {between} ".join(f'"{quote}"' for quote in quotes)


def _question(prompt: str) -> str:
    """Which line comes right after another one, with other lines of the video as wrong options."""
    kind = _TYPE.search(prompt)
    if kind is None or kind[1] != "temporal":
        return _abstain("the reader works by rules on words and writes temporal questions only")
    for on_screen in (False, True):
        lines = _lines(prompt, on_screen)
        counts = Counter(line.text for line in lines)
        pairs = _pairs(lines, counts)
        if pairs and len(counts) > _NUM_OPTIONS:
            return _next_line(prompt, lines, counts, pairs)
    return _abstain("too few different lines are quoted to ask for their order")


def _next_line(
    prompt: str, lines: Sequence[_Line], counts: Mapping[str, int], pairs: Sequence[tuple[_Line, _Line]]
) -> str:
    seed = hashlib.sha256("\n".join(line.text for line in lines).encode()).hexdigest()
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    number = _NUMBER.search(prompt)
    before, after = shuffled[(int(number[1]) - 1 if number else 0) % len(shuffled)]
    others = [text for text in counts if text not in (before.text, after.text)]
    wrong = random.Random(seed + before.text).sample(others, _NUM_OPTIONS - 1)
    given = _LETTER.search(prompt)
    place = "ABCD".index(given[1]) if given else int(seed[:8], 16) % _NUM_OPTIONS
    options = [*wrong[:place], after.text, *wrong[place:]]
    listed = "\n".join(f"{letter}. '{option}'" for letter, option in zip("ABCD", options, strict=True))
    return (
        f"QUESTION: Which of these lines comes right after '{before.text}' in the video?\n"
        f"OPTIONS:\n{listed}\nANSWER: {'ABCD'[place]}\nREASONS:\n"
        f"##### From [{before.times}]:\n- The line '{before.text}' is found here.\n"
        f"##### From [{after.times}]:\n- The next line in the video is '{after.text}'.\n"
        "- The other lines stand elsewhere in the video."
    )


def _lines(prompt: str, on_screen: bool) -> list[_Line]:
    """The quoted lines in order; what one caption ends and the next begins with runs over the cut and is one.

    What is said and what is written in a clip is quoted apart, so the two have no order between them."""
    found = list[_Line]()
    before: list[str] = []
    for start, end, caption in _DESCRIBED.findall(prompt):
        said, _, written = caption.partition(_SCREEN)
        quotes: list[str] = [quote.strip() for quote in _QUOTE.findall(written if on_screen else said)]
        shared = max(n for n in range(len(quotes) + 1) if n == 0 or before[-n:] == quotes[:n])
        found += [_Line(quote, f"{start} to {end}") for quote in quotes[shared:] if quote]
        before = quotes
    return found


def _pairs(lines: Sequence[_Line], counts: Mapping[str, int]) -> list[tuple[_Line, _Line]]:
    """Neighbours that occur once each, out of different parts of the video; out of the same part if there are no
    others."""
    pairs = [(a, b) for a, b in pairwise(lines) if counts[a.text] == counts[b.text] == 1]
    return [(a, b) for a, b in pairs if a.times != b.times] or pairs


def _reformat(prompt: str) -> str:
    """The notes as one text, without what counts steps and times."""
    notes = _NOTES.search(prompt)
    if notes is None:
        return _abstain("there are no notes to rewrite")
    sentences = [_STEP.sub("", line).strip(" -*#") for line in notes[2].splitlines()]
    text = " ".join(sentence for sentence in sentences if sentence)
    return f"REASONING: Going through the video, this is what settles it. {text}\nANSWER: {notes[1]}"


def _repair(prompt: str) -> str:
    return _abstain("what the reader writes comes from rules, so it would write the same again")


def _abstain(reason: str) -> str:
    return f"<abstain>{reason}</abstain>"


TASKS: dict[str, Callable[[str], str]] = {
    "caption": _caption,
    "question": _question,
    "reformat": _reformat,
    "repair": _repair,
}
"""Task name (the first line of a prompt is ``Task: <name>``) -> the rule that answers the prompt."""
