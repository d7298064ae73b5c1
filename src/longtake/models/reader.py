"""The embedded default: a model that needs no network, no GPU and no weights, because it works by rules.

It plays the same loop with the same tools as any model: it searches the timed text, reads around the best place and
answers with a quote and its span. It reads words and cannot see pictures. Without support it abstains and says what
would help; it never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..errors import ConfigError, ModelError, ModelRequestError
from ..types import JSON, GenerateConfig, Message, ModelOutput, Source, TimeSpan, ToolCall, ToolSpec, Usage
from .reader_events import TASKS as EVENT_TASKS
from .reader_tasks import TASKS as REASON_TASKS
from .support import (
    Line,
    about_writing,
    closeness,
    content_words,
    coverage,
    expected_form,
    names_asked,
    passages,
    wanted_words,
    without_speaker,
)

__all__ = ["Reader"]

TASKS = {**REASON_TASKS, **EVENT_TASKS}
"""The tasks of data generation it has rules for, by the name in the first line of their prompts."""
_TASK = re.compile(r"Task: (.+)$", re.MULTILINE)
_LAST_TURN = "your last turn"
STRONG, WEAK = 0.8, 0.7
"""Share of the question's words that a passage must hold: to stop searching, and to be an answer at all."""
CLOSE_BONUS = 0.1
"""For the better of two passages: the words of the question stand close together in it."""
BESIDE = 0.25
"""Share of the question's words that must stand beside an option: being mentioned somewhere is no support."""
TIE = 0.02
LENGTH_COST = 0.08
"""Taken off for every line beyond the first, so that a longer quote must earn its place."""
MARGIN_SECONDS = 5.0
MAX_PLACES = 2
FEW_LINES = 3

_LINE = re.compile(r"^\[[\d:.]+ - [\d:.]+ \| ([\d.]+) - ([\d.]+) s\] (subtitles|screen|speech): (.*)$", re.MULTILINE)
_QUESTION = re.compile(
    r"^Question: (.*?)(?:\nOptions:\n(.*?)\nAnswer with|\nThe video path|\n\n|\Z)", re.DOTALL | re.MULTILINE
)
_NOTE = re.compile(r"^Note: (.*)$", re.MULTILINE)
_OPTION = re.compile(r"^([A-Z])\. (.*)$", re.MULTILINE)
_LENGTH = re.compile(r"The video is ([\d.]+) s long")
_CLIP = re.compile(r"<([^<>/][^<>]*)>(\[\d\d:.*?)</\1>", re.DOTALL)
_FIND = re.compile(r"^Find: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Case:
    """What the conversation holds so far."""

    question: str
    options: Mapping[str, str]
    duration_seconds: float
    lines: tuple[Line, ...]
    calls: tuple[ToolCall, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> _Case:
        text = "\n\n".join(message.text for message in messages if message.role != "assistant")
        asked = _QUESTION.search(text)
        if asked is None:
            raise ModelError("the reader found no line 'Question: ...' in what it was asked; use an agent of longtake")
        length = _LENGTH.search(text)
        lines = tuple(
            Line(TimeSpan(float(start), float(end)), cast("Source", source), said)
            for start, end, source, said in _LINE.findall(text)
            if float(start) < float(end)
        )
        calls = tuple(call for message in messages for call in message.tool_calls)
        notes = tuple(dict.fromkeys(_NOTE.findall(text)))
        options = dict(_OPTION.findall(asked[2] or ""))
        return cls(asked[1].strip(), options, float(length[1]) if length else 0.0, lines, calls, notes)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A passage that supports an answer. ``support`` is how much of the question it holds, ``rank`` says which of
    several is better."""

    answer: str
    passage: Sequence[Line]
    support: float
    rank: float

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.passage[0].span.start, max(line.span.end for line in self.passage))


class Reader:
    """See the module. Costs nothing and is deterministic."""

    name = "reader"

    @classmethod
    def from_spec(cls, argument: str = "") -> Reader:
        """``--model reader``; it has no variants, so ``argument`` must be empty."""
        if argument:
            raise ConfigError(f"the reader has no variant {argument!r}; write --model reader")
        return cls()

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec], config: GenerateConfig
    ) -> ModelOutput:
        text = "\n".join(message.text for message in messages)
        if task := _TASK.match(text):
            return _said(_play(task[1], text))
        if clips := _CLIP.findall(text):
            return _said(_name_clip(text, clips))
        if "Look at: " in text and not _QUESTION.search(text):
            raise ModelError(
                "the reader cannot see pictures; give the team eyes with --vision-model, or use --agent crop"
            )
        case = _Case.of(messages)
        finding = _best(case)
        offered = {tool.name: tool for tool in tools}
        if "search_text" in offered and _LAST_TURN not in messages[-1].text:
            if calls := _next_calls(case, offered["search_text"]):
                return ModelOutput(Message("assistant", (), calls), self.name, "tool_calls", Usage(num_calls=1))
        elif "<request_grounding>" in text and "<New_clip>" not in text and not _is_strong(finding):
            query = f"<reasoning>These words do not answer it.</reasoning><request_grounding>{case.question}"
            return _said(f"{query}</request_grounding>")
        return _said(_final(case, finding, offered.get("search_text")))


# ------------------------------------------------------------------------------------------------ what to do next


def _next_calls(case: _Case, search: ToolSpec) -> tuple[ToolCall, ...]:
    """The tool calls of the next turn; none when it is time to answer."""
    if any(call.name == "read_text" for call in case.calls):
        return ()
    tried = {str(call.arguments.get("source")) for call in case.calls}
    places = _places(case)
    left = [group for group in _rounds(case.question, search) if not tried & set(group)]
    if left and not (places and _is_strong(places[0])):
        queries = [case.question, *(f"{case.question} {option}" for option in case.options.values())]
        arguments: list[dict[str, JSON]] = [{"query": q, "source": source} for source in left[0] for q in queries]
        return _calls("search_text", arguments, len(case.calls))
    if places:
        return _calls("read_text", [_around(place) for place in places], len(case.calls))
    if about_writing(case.question) and "screen" in tried and case.duration_seconds:
        everything: dict[str, JSON] = {"start_time": 0.0, "end_time": case.duration_seconds, "source": "screen"}
        return _calls("read_text", [everything], len(case.calls))
    return ()


def _calls(name: str, arguments: Sequence[Mapping[str, JSON]], before: int) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(f"read-{before + i}", name, one) for i, one in enumerate(arguments, 1))


def _around(place: _Finding) -> dict[str, JSON]:
    start = max(0.0, place.span.start - MARGIN_SECONDS)
    return {"start_time": start, "end_time": place.span.end + MARGIN_SECONDS, "source": place.passage[0].source}


def _places(case: _Case) -> list[_Finding]:
    """Where to read on: the best supported passages, at most two, far enough apart. A question somebody asks in the
    video is a place too, since the answer may follow it."""
    findings = _of_options(case) if case.options else _of_question(case, asked_too=True)
    places = list[_Finding]()
    for finding in sorted(findings, key=lambda finding: -finding.rank):
        apart = all(abs(finding.span.start - place.span.start) > 2 * MARGIN_SECONDS for place in places)
        if apart and len(places) < MAX_PLACES:
            places.append(finding)
    return places


def _is_strong(finding: _Finding | None) -> bool:
    return finding is not None and finding.support >= STRONG


def _rounds(question: str, search: ToolSpec) -> list[list[str]]:
    """The sources in the order they are searched: what costs nothing first, unless the question is about writing."""
    available = _sources(search)
    heard = [source for source in available if source != "screen"]
    seen = [source for source in available if source == "screen"]
    order = [seen, heard] if about_writing(question) else [heard, seen]
    return [group for group in order if group]


def _sources(search: ToolSpec) -> list[str]:
    properties = cast("Mapping[str, Mapping[str, JSON]]", search.parameters["properties"])
    return cast("list[str]", properties["source"]["enum"])


# ------------------------------------------------------------------------------------------------ what supports it


def _best(case: _Case) -> _Finding | None:
    """The best supported answer among the lines seen so far; None when no support reaches `WEAK`, or when two options
    are supported alike."""
    findings = sorted(_of_options(case) if case.options else _of_question(case), key=lambda f: -f.rank)
    if not findings:
        return None
    best = findings[0]
    alike = (f for f in findings if best.rank - f.rank < TIE and f.answer != best.answer)
    return None if case.options and any(alike) else best


def _of_question(case: _Case, *, asked_too: bool = False) -> list[_Finding]:
    """Passages that hold enough of the question's words. Who says a line is not what it says."""
    wanted = wanted_words(case.question)
    form = expected_form(case.question)
    found = list[_Finding]()
    for passage in passages(case.lines):
        said = " ".join(without_speaker(line.text) for line in passage)
        share = coverage(wanted, said)
        answers = not _only_asks(passage) and (form is None or form.search(said) is not None)
        if share < WEAK or not (answers or asked_too):
            continue
        rank = share + CLOSE_BONUS * closeness(wanted, said) - LENGTH_COST * (len(passage) - 1)
        text = " ".join(line.text for line in passage)
        found.append(_Finding(_narrowed(text, wanted, form), passage, share if answers else 0.0, rank))
    return found or _by_form(case)


def _narrowed(text: str, wanted: dict[str, float], form: re.Pattern[str] | None) -> str:
    """Of several lines of writing that stand together, the fewest in a row that hold what the whole holds."""
    parts = text.split(" / ")
    whole = coverage(wanted, text)
    runs = [parts[i:j] for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)]
    for run in sorted(runs, key=lambda run: (len(run), -coverage(wanted, run[0]))):  # what is asked for comes first
        said = " / ".join(run)
        if coverage(wanted, said) >= whole and (form is None or form.search(said)):
            return said
    return text


def _by_form(case: _Case) -> list[_Finding]:
    """Nothing shares a word with the question, which asks what is written: the line of the right form that stays
    longest (a logo outlasts a caption), or all of it if that is next to nothing."""
    seen = [line for line in case.lines if line.source == "screen"]
    if not about_writing(case.question) or not seen:
        return []
    if form := names_asked(case.question) or expected_form(case.question):
        matches = [(line, form.search(line.text.replace(" / ", " "))) for line in seen]
        fitting = [(line, match[0]) for line, match in matches if match and len(match[0]) >= len(line.text) / 3]
        longest = max(fitting, key=lambda fit: fit[0].span.duration, default=None)
        return [_Finding(longest[1], [longest[0]], WEAK, WEAK)] if longest else []
    distinct = list({line.text: line for line in seen}.values())
    return [_Finding(line.text, [line], WEAK, WEAK) for line in distinct] if len(distinct) <= FEW_LINES else []


def _of_options(case: _Case) -> list[_Finding]:
    """How well a passage supports each option: the option's own words, seen beside those of the question."""
    asked = wanted_words(case.question)
    own = {letter: _distinguishing(letter, case.options) for letter in case.options}
    whole = {letter: content_words(option) for letter, option in case.options.items()}
    found = list[_Finding]()
    for passage in passages(case.lines):
        text = " ".join(without_speaker(line.text) for line in passage)
        beside = coverage(asked, text)
        if beside < BESIDE:
            continue
        for letter, words in own.items():
            share = coverage(words, text)
            # of "a cat" and "a black cat" the longer one fits better where both do
            length = TIE * sum(coverage({word: 1.0}, text) for word in whole[letter])
            if share > 0.5:
                rank = share * (beside - LENGTH_COST * (len(passage) - 1)) + length
                found.append(_Finding(letter, passage, share * beside, rank))
    return found


def _distinguishing(letter: str, options: Mapping[str, str]) -> dict[str, float]:
    """The words of one option that not all options have; all its words if it has none of its own."""
    words = content_words(options[letter])
    others = [set(content_words(text)) for other, text in options.items() if other != letter]
    shared = set[str].intersection(*others) if others else set[str]()
    return {word: weight for word, weight in words.items() if word not in shared} or words


def _only_asks(passage: Sequence[Line]) -> bool:
    """Whether the passage ends in a question: it repeats what is asked and does not answer it."""
    return passage[-1].text.rstrip(" \"'”").endswith("?")


# ------------------------------------------------------------------------------------------------ what to say


def _said(text: str) -> ModelOutput:
    return ModelOutput(Message("assistant", (text,)), Reader.name, usage=Usage(num_calls=1))


def _play(task: str, prompt: str) -> str:
    """The reply to a prompt of data generation. Raises `ModelRequestError` for a task it has no rules for."""
    if task not in TASKS:
        raise ModelRequestError(
            f"the reader has no rules for the task {task!r} (it has {', '.join(TASKS)}); give a model with --model"
        )
    return TASKS[task](prompt)


def _final(case: _Case, finding: _Finding | None, search: ToolSpec | None) -> str:
    if finding is None:
        return f"<abstain>{_what_would_help(case, search)}</abstain>"
    evidence = "".join(
        f'<evidence source="{line.source}">{line.span.start} - {line.span.end} s: {line.text}</evidence>\n'
        for line in finding.passage
    )
    return f"{evidence}<answer>{finding.answer}</answer>"


def _what_would_help(case: _Case, search: ToolSpec | None) -> str:
    sources = _sources(search) if search else sorted({line.source for line in case.lines})
    looked = f"the words found in the video ({', '.join(sources)}) do not" if sources else "there are no words here to"
    helps = ["a vision model (--model openai:NAME) can look at the pictures"]
    if search is None:
        helps.append("--agent crop also reads writing in the picture")
    elif "screen" not in sources:
        helps.append("pip install 'longtake[ocr]' reads writing in the picture")
    if "speech" not in sources:
        helps.append("--asr listens to the speech")
    if "subtitles" not in sources:
        helps.append("--subtitles FILE gives it subtitles")
    unread = "".join(f" ({note})" for note in case.notes)
    return f"{looked} support an answer{unread}. What would help: {'; '.join(helps)}"


def _name_clip(text: str, clips: Sequence[tuple[str, str]]) -> str:
    """The grounding worker: the clip whose words cover most of what is to be found, or that there is none."""
    find = _FIND.search(text)
    wanted = wanted_words(find[1] if find else "")
    shares = {clip: coverage(wanted, words) + CLOSE_BONUS * closeness(wanted, words) for clip, words in clips}
    best = max(shares, key=lambda clip: shares[clip])
    return f"<clip>{best}</clip>" if shares[best] > 0 else "No clip has any of these words."
