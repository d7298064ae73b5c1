"""How the embedded `reader` plays the tasks of the LongVT recipe: honest rules on words, no pictures, no luck.

Each function takes the whole prompt of its task and returns the reply that the prompt asks for. What the rules cannot
do is abstained from in the form that prompts allow, or refused with `ModelRequestError`. Pure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from ..errors import ModelRequestError
from ..types import JSON
from .support import content_words, wanted_words, without_speaker

__all__ = ["TASKS"]

SAME_EVENT = 0.5
"""Share of the shorter description's words that the other one holds too when both are of one event."""
MIN_CLUE_WORDS = 2
"""Words that must stay in a line with a gap, or it cannot be found again."""
MAX_CLUE_WORDS = 8
MAX_LINE_WORDS = 30
MAX_QUESTION_WORDS, MAX_ANSWER_WORDS = 50, 25

_DESCRIBED = re.compile(r"From ([\d.]+) to ([\d.]+) s: (.*)$", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[^a-z\s])|(?<=[.!?][\"”]) +(?=[^a-z\s])")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]+)[\"”]")
_PART = re.compile(r" / ")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CLOCK = re.compile(r"\d+:\d\d|\b\d+(?:\.\d+)? ?(?:s|sec|secs|seconds?|minutes?)\b", re.IGNORECASE)
_CUE = re.compile(r"^\[[\d:.]+ - [\d:.]+ \| [\d.]+ - [\d.]+ s\] (?:subtitles|screen|speech): (.*)$", re.MULTILINE)
_ROW = re.compile(r"^\{\"index\".*\}$", re.MULTILINE)
_ON_SCREEN = re.compile(r"(?i)\b(?:screen|written|writing|shown|reads|sign|caption)\b[^\"“]*$")


@dataclass(frozen=True, slots=True)
class _Described:
    """A described part of the video, in the words of the prompt; ``start`` and ``end`` as they are written there."""

    start: str
    end: str
    text: str


@dataclass(frozen=True, slots=True)
class _Gap:
    """A line with one word taken out. ``rank`` is how many words of its own are left to find it by."""

    line: str
    word: str
    on_screen: bool
    part: _Described
    rank: int


def same_event(prompt: str) -> str:
    """Yes if the two descriptions share enough of their words."""
    first, second = (set(content_words(part.text)) for part in _two(prompt))
    shorter = min(len(first), len(second))
    return "yes" if shorter and len(first & second) / shorter >= SAME_EVENT else "no"


def merge_captions(prompt: str) -> str:
    """The sentences of both descriptions, each once."""
    return f"<caption>{_joined(part.text for part in _two(prompt))}</caption>"


def summary(prompt: str) -> str:
    """The first sentence of every event."""
    return f"<summary>{_joined(_sentences(part.text)[0] for part in _described(prompt))}</summary>"


def merge_summaries(prompt: str) -> str:
    """The sentences of both summaries, each once."""
    return f"<summary>{_joined(part.text for part in _two(prompt))}</summary>"


def event_question(prompt: str) -> str:
    """A line that somebody says, or that is written, with one word missing; the word is the answer."""
    asked = re.search(r"This is question (\d+) of \d+", prompt)
    if asked is None:
        raise ModelRequestError("the reader found no 'This is question N of M' in the prompt; use the one of longtake")
    gaps = _gaps(_described(prompt))
    number = int(asked[1])
    if number > len(gaps):
        return f"<abstain>only {len(gaps)} lines are quoted here from which a word can be asked for</abstain>"
    gap = gaps[number - 1]
    verb = "is shown" if gap.on_screen else "do they say"
    reply: dict[str, JSON] = {
        "question": f'Which word {verb} for ___ in "{gap.line}"?',
        "answer": gap.word,
        "start_time": float(gap.part.start),
        "end_time": float(gap.part.end),
    }
    return json.dumps(reply, ensure_ascii=False)


def text_filter(prompt: str) -> str:
    """Keeps, in their order, the questions that fit the rules on words, as many as are wanted."""
    most = re.search(r"at most (\d+)\.", prompt)
    if most is None:
        raise ModelRequestError("the reader found no 'at most N.' in the prompt; use the one of longtake")
    kept, rejected = list[JSON](), list[JSON]()
    asked = set[str]()
    for row in (cast("dict[str, JSON]", json.loads(line)) for line in _ROW.findall(prompt)):
        question, answer = str(row["question"]), str(row["answer"])
        reason = _unfit(question, answer)
        if not reason and question.casefold() in asked:
            reason = "it asks the same as another question"
        if not reason and len(kept) >= int(most[1]):
            reason = f"{most[1]} questions are enough"
        asked.add(question.casefold())
        if reason:
            rejected.append({"index": row["index"], "reason": reason})
        else:
            kept.append({"index": row["index"], "rank": len(kept) + 1})
    return json.dumps({"keep": kept, "rejected": rejected}, ensure_ascii=False)


def visual_filter(prompt: str) -> str:
    """1 if the words that go with the part of the video hold the answer, else 0: the reader cannot see."""
    answer = re.search(r"^Answer: (.*)$", prompt, re.MULTILINE)
    if answer is None:
        raise ModelRequestError("the reader found no line 'Answer: ...' in the prompt; use the one of longtake")
    said = " ".join(_plain(line) for line in _CUE.findall(prompt))
    wanted = _plain(answer[1])
    return "Score: 1.0" if wanted and f" {wanted} " in f" {said} " else "Score: 0.0"


TASKS: dict[str, Callable[[str], str]] = {
    "same_event": same_event,
    "merge_captions": merge_captions,
    "summary": summary,
    "merge_summaries": merge_summaries,
    "event_question": event_question,
    "text_filter": text_filter,
    "visual_filter": visual_filter,
}
"""Task name, as in the first line of the prompt -> what the reader replies to the whole prompt."""


# -------------------------------------------------------------------------------------------------- what is described


def _described(prompt: str) -> list[_Described]:
    parts = [_Described(*found) for found in _DESCRIBED.findall(prompt)]
    if not parts:
        raise ModelRequestError("the reader found no line 'From S to E s: ...' in the prompt; use the one of longtake")
    return parts


def _two(prompt: str) -> list[_Described]:
    parts = _described(prompt)
    if len(parts) != 2:
        raise ModelRequestError(f"the reader compares two descriptions and found {len(parts)} in the prompt")
    return parts


def _sentences(text: str) -> list[str]:
    """At least one. A quotation is never cut, but may end a sentence."""
    masked = _QUOTED.sub(lambda quoted: f'"{"x" * (len(quoted[1]) - 1)}{quoted[1][-1]}"', text)
    edges = [0, *(end.end() for end in _SENTENCE_END.finditer(masked)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(edges)]


def _joined(texts: Iterable[str]) -> str:
    """All sentences of ``texts`` in order, each once."""
    once = dict[str, str]()
    for text in texts:
        for sentence in _sentences(text):
            once.setdefault(_plain(sentence), sentence)
    return " ".join(once.values())


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


# ------------------------------------------------------------------------------------------------------ lines with gaps


def _gaps(parts: Sequence[_Described]) -> list[_Gap]:
    """One gap for every quoted line that has a word to take out, the easiest to find again first."""
    lines = [
        (without_speaker(line.strip()), _ON_SCREEN.search(part.text[: quoted.start()]) is not None, part)
        for part in parts
        for quoted in _QUOTED.finditer(part.text)
        for line in _PART.split(quoted[1])
    ]
    seen = Counter(word for line in {line for line, _, _ in lines} for word in content_words(line))
    gaps = list[_Gap]()
    for line, on_screen, part in lines:
        gap = _gap(line, seen, on_screen, part)
        if gap is not None and all(gap.line != other.line for other in gaps):
            gaps.append(gap)
    return sorted(gaps, key=lambda gap: -gap.rank)


def _gap(line: str, seen: Counter[str], on_screen: bool, part: _Described) -> _Gap | None:
    """``line`` without its longest word that no other line has; None where it would not be found or told again."""
    if line.endswith("?") or _CLOCK.search(line) or len(line.split()) > MAX_LINE_WORDS:
        return None
    said = Counter(word.casefold() for word in _WORD.findall(line))
    own = [word for word in _WORD.findall(line) if said[word.casefold()] == 1 and _is_rare(word, seen)]
    if not own:
        return None
    word = max(own, key=len)
    blank = re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", "___", line, count=1)
    clues = sum(seen[clue] == 1 for clue in wanted_words(blank))
    if blank == line or clues < MIN_CLUE_WORDS:
        return None
    return _Gap(blank, word, on_screen, part, min(clues, MAX_CLUE_WORDS))


def _is_rare(word: str, seen: Counter[str]) -> bool:
    """Whether ``word`` carries meaning and no other line has it."""
    stems = list(content_words(word))
    return len(stems) == 1 and seen[stems[0]] == 1


def _unfit(question: str, answer: str) -> str:
    """Which rule the question breaks, "" if none of those that words can tell."""
    if _CLOCK.search(question):
        return "it names a time"
    if len(question.split()) > MAX_QUESTION_WORDS or len(answer.split()) > MAX_ANSWER_WORDS:
        return "it is too long"
    return ""
