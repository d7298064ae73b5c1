"""The step that has the reasoning of a question rewritten as fluent text, with the answer checked to be the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...agents.prompt import letters, prompt_digest, render
from ...agents.replies import without_thinking
from ...errors import FormatError
from ...models.journaled import model_identity
from ...models.phrases import no_content
from ...types import Model
from ..step import Context, Record, Step, Value
from ..values import CaptionedVideo, Question, as_value
from .asking import ask, read_or_repair
from .sections import sections
from .wording import other_letter, sources_in, times_in

__all__ = ["read_reformatted", "reformat"]

_STEP = re.compile(r"\bstep\s+\d+\b", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_SHORTEST = 0.2
"""A rewritten text shorter than this share of the notes has left most of them out."""


def reformat(model: Model, *, repairs: int = 1, temperature: float = 0.7, max_tokens: int = 8192) -> Step:
    """`Question` -> the same with its reasoning rewritten. The answer, the spans and the reasons stay as they are.

    The reply must restate the answer; one with another letter, with times, with "Step 1" or that rests on captions is
    mended by the model up to ``repairs`` times."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        question = record.read(Question)
        known = " ".join(caption.caption for caption in record.find("merge").read(CaptionedVideo).captions)
        prompt = render(
            "data_reformat",
            question=question.question,
            options="\n".join(f"{letter}. {text}" for letter, text in letters(question.options)),
            answer=question.answer,
            reasoning=question.reasoning,
        )
        reply = await ask(ctx, model, prompt, temperature=temperature, max_tokens=max_tokens)

        def read(reply: str) -> str:
            return read_reformatted(reply, question, known=known)

        reasoning = await read_or_repair(
            ctx,
            model,
            reply,
            read,
            task=lambda: prompt,
            repairs=repairs,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        return [as_value(replace(question, reasoning=reasoning))]

    config: Value = {
        "repairs": repairs,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "prompts": [prompt_digest("data_reformat"), prompt_digest("data_repair")],
        "model": model_identity(model),
    }
    return Step("reformat", 2, config, run)


def read_reformatted(reply: str, question: Question, *, known: str = "") -> str:
    """The rewritten reasoning in ``reply``. Times that are in ``known`` or in the question may stay.

    Raises `FormatError` unless it is whole, free of what it was to be freed of, and has the answer of ``question``."""
    found = sections(without_thinking(reply))
    reasoning, answers = found.get("reasons", []), found.get("answer", [])
    if len(reasoning) != 1 or not reasoning[0].strip() or not answers:
        raise FormatError("the reply needs the two parts REASONING: the text, and ANSWER: the letter, each once")
    wrong = {answer for answer in answers if not _is_letter(answer, question.answer)}
    if wrong:
        raise FormatError(f"the reply gives the answer {min(wrong)!r}, but it is {question.answer}; keep the answer")
    text = " ".join(reasoning[0].replace("**", "").split())
    if len(text) < _SHORTEST * len(question.reasoning):
        raise FormatError("the text leaves out most of the notes; keep every fact and every conclusion")
    if what := no_content(text):
        raise FormatError(f"the text is {what}; write the reasoning")
    if other := other_letter(text, question.answer, "".join(letter for letter, _ in letters(question.options))):
        raise FormatError(f"the text calls {other} the answer, but it is {question.answer}; keep the answer")
    if tag := _TAG.search(text):
        raise FormatError(f"the text holds {tag[0]!r}; write the reasoning without tags")
    if step := _STEP.search(text):
        raise FormatError(f"the text still counts steps ({step[0]!r}); write it as flowing text")
    if sources := sources_in(text, known):
        raise FormatError(f"the text still rests on {sources[0]!r}; speak of the video")
    if times := times_in(text, f"{known} {question.question} {' '.join(question.options)}"):
        raise FormatError(f"the text still mentions the time {times[0]!r}; leave times out")
    return text


def _is_letter(answer: str, letter: str) -> bool:
    said = re.sub(r"</?answer>|[\W_]", "", answer.splitlines()[0] if answer else "", flags=re.IGNORECASE)
    return said.upper() == letter.upper() or re.match(rf"\W*{letter}[).:*]", answer, re.IGNORECASE) is not None
