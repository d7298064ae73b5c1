"""The blind test: can a question be answered without its video? A model that sees only its words tries a few times.

Drops nothing; what the tries gave is a measure (`quality`), and a filter decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.prompt import prompt_digest, question_block, render
from ...agents.replies import read_final, without_thinking
from ...errors import ConfigError
from ...models.heard import Heard
from ...models.journaled import model_identity
from ...models.phrases import is_refusal
from ...scoring.hedges import hedge
from ...scoring.scorers import extract_choice, mentions
from ...types import Answer, GenerateConfig, Message, Model, ModelOutput, Sample
from ..export.items import BlindTest, Item, read_item
from ..step import Context, Record, Step, Value
from ..values import as_value

__all__ = ["MAX_TOKENS", "blind"]

MAX_TOKENS = 16384
"""Of a reply, its thinking included: a thinking model may need that many for a question that it cannot see."""
_TEMPERATURE = 0.7
_SHOWN = 200
_LONGEST_BARE = 100


def blind(model: Model, tries: int = 3, max_tokens: int = MAX_TOKENS) -> Step:
    """A step at the end of a chain that asks ``model`` each question ``tries`` times without the video.

    Its value is a `BlindTest`. A reply that abstains, hedges or names no option is not right, whatever the words. One
    that is cut off, refused or holds no answer is no verdict and is left out of ``usable``; an endpoint that fails is
    no reply. Raises `ConfigError` unless ``tries`` is at least 1."""
    if tries < 1:
        raise ConfigError(f"the blind test needs at least 1 try, got {tries}")

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        item = read_item(records[0])
        # read by what the model is told, so nothing of the answer can be in it
        asked = Sample(item.id, "", item.question.question, item.question.options)
        message = Message("user", (render("data_blind", question=question_block(asked)),))
        journaled = ctx.journaled(Heard(model))
        config = GenerateConfig(temperature=_TEMPERATURE, max_tokens=max_tokens)
        replies = [await journaled.generate([message], tools=(), config=config) for _ in range(tries)]
        said = [_said(output, item) for output in replies]
        answers = [answer for answer in said if answer is not None]
        right = sum(_is_right(item, answer) for answer in answers)
        return [as_value(BlindTest(tries, len(answers), right, tuple((answer or "")[:_SHOWN] for answer in said)))]

    config = {
        "model": model_identity(model),
        "tries": tries,
        "temperature": _TEMPERATURE,
        "max_tokens": max_tokens,
        "prompt": prompt_digest("data_blind"),
    }
    return Step("blind", 4, config, run)


def _said(output: ModelOutput, item: Item) -> str | None:
    """The answer given, "" for an abstention, None where there is no verdict."""
    final = read_final(output)
    if isinstance(final, Answer):
        return final.text
    if final is not None:
        return ""
    return None if output.stop_reason in ("length", "refused") else _bare(output.text, item)


def _bare(text: str, item: Item) -> str | None:
    """A reply of a few words without the form it was asked for: ``B``, ``**B.** a blue boat``, ``an old sailor``."""
    said = without_thinking(text).strip()
    if not said or len(said) > _LONGEST_BARE or "\n" in said or "<" in said or is_refusal(said):
        return None
    if item.question.options and extract_choice(said, item.question.options) is None:
        return None
    return said


def _is_right(item: Item, answer: str) -> bool:
    if not answer:
        return False
    if item.question.options:
        chosen = extract_choice(answer, item.question.options)
        return chosen is not None and chosen == item.right
    target = item.question.answer
    return mentions(answer, target) and hedge(answer, target) is None
