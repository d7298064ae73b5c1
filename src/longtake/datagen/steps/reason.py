"""The steps that ask for questions: which ones a video gets, and a reasoning model's reply for each.

Reading the replies is in `parse`, rewriting the reasoning in `reformat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...agents.prompt import prompt_digest, render
from ...errors import ConfigError
from ...models.journaled import model_identity
from ...store import digest
from ...types import Model
from ..step import Context, Record, Step, Value
from ..values import CaptionedVideo, QuestionType, Source, as_value
from .asking import ask
from .caption import caption_lines

__all__ = ["ABOUT", "LETTERS", "Planned", "Reply", "plan", "question_prompt", "reason"]

LETTERS = "ABCD"
ABOUT: dict[QuestionType, str] = {
    "temporal": "time and order. What comes before, after or between other things, what changes and how, what lasts,"
    " what is repeated.",
    "goal": "goals and purposes. Why people act as they do, what they are after, which of their acts serve one aim.",
    "plot": "plot and narrative. How one event leads to another, what turns the story, how a person or a conflict"
    " develops, what it all comes to.",
    "spatial": "space. Where people and things are, to each other and in the place, how they move through it, how the"
    " view of it changes.",
}
"""What each question type asks about, as the prompt says it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A question to be written: the ``number``-th (from 1) of ``count`` of its type on the video."""

    question_type: QuestionType
    number: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote, without its thinking."""

    reply: str


def plan(*, question_types: Sequence[QuestionType] = tuple(ABOUT), questions_per_type: int = 1) -> Step:
    """`CaptionedVideo` -> many `Planned`. Raises `ConfigError` for a plan without a question or of unknown types."""
    unknown = sorted(set(question_types) - set(ABOUT))
    if unknown or not question_types or questions_per_type < 1 or len(set(question_types)) < len(question_types):
        raise ConfigError(
            f"a plan needs different types out of {', '.join(ABOUT)} and at least 1 question of each, got"
            f" question_types={list(question_types)} questions_per_type={questions_per_type}"
        )

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        numbers = range(1, questions_per_type + 1)
        return [as_value(Planned(kind, number, questions_per_type)) for kind in question_types for number in numbers]

    config: Value = {"question_types": list(question_types), "questions_per_type": questions_per_type}
    return Step("plan", 2, config, run, many=True)


def reason(model: Model, *, temperature: float = 0.6, max_tokens: int = 32768) -> Step:
    """`Planned` -> `Reply`: the model writes question, options, answer, reasons and the spans they rest on."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        prompt = question_prompt(record)
        return [as_value(Reply(await ask(ctx, model, prompt, temperature=temperature, max_tokens=max_tokens)))]

    config: Value = {
        "temperature": temperature,
        "max_tokens": max_tokens,
        "prompt": prompt_digest("data_question"),
        "about": digest(list(ABOUT.values()))[:16],
        "model": model_identity(model),
    }
    return Step("reason", 2, config, run)


def question_prompt(record: Record) -> str:
    """What is asked for the `Planned` that ``record`` is or comes from.

    The letter of the right answer is given, by the record's id: models left to choose prefer some letters."""
    planned = record.find("plan").read(Planned)
    video = record.find("merge").read(CaptionedVideo)
    letter = LETTERS[int(digest([video.id, planned.question_type, planned.number])[:8], 16) % len(LETTERS)]
    return render(
        "data_question",
        type=planned.question_type,
        about=ABOUT.get(planned.question_type, "anything in the video that takes several steps of reasoning."),
        length=f"{record.find('source').read(Source).duration_seconds:.1f}",
        number=str(planned.number),
        count=str(planned.count),
        part=_part(planned, video),
        letter=letter,
        descriptions=caption_lines(video.captions),
    )


def _part(planned: Planned, video: CaptionedVideo) -> str:
    """Questions of one type do not know of each other; each has a part of the video of its own, so they differ."""
    if planned.count == 1 or not video.captions:
        return ""
    start, end = video.captions[0].start_time, video.captions[-1].end_time
    length = (end - start) / planned.count
    first, last = start + length * (planned.number - 1), start + length * planned.number
    return f" Let it turn on what happens from {first:.0f} to {last:.0f} s; the others turn on other parts."
