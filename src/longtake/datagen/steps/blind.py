"""The blind test: can a question be answered without its video? A model that sees only its words tries a few times.

Drops nothing; what the tries gave is a measure (`quality`), and a filter decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.prompt import prompt_digest, question_block, render
from ...agents.replies import read_final
from ...errors import ConfigError
from ...scoring.scorers import extract_choice, mentions
from ...types import Answer, GenerateConfig, Message, Model, ModelOutput, Sample
from ..export.items import BlindTest, Item, read_item
from ..step import Context, Record, Step, Value, model_identity
from ..values import as_value
from .asking import Heard

__all__ = ["blind"]

_TEMPERATURE = 0.7
_MAX_TOKENS = 2048
_SHOWN = 200


def blind(model: Model, tries: int = 3) -> Step:
    """A step at the end of a chain that asks ``model`` each question ``tries`` times without the video.

    Its value is a `BlindTest`. A reply that abstains, refuses, is cut off or names no option is not right, whatever
    the words; an endpoint that fails is no reply. Raises `ConfigError` unless ``tries`` is at least 1."""
    if tries < 1:
        raise ConfigError(f"the blind test needs at least 1 try, got {tries}")

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        item = read_item(records[0])
        # read by what the model is told, so nothing of the answer can be in it
        asked = Sample(item.id, "", item.question.question, item.question.options)
        message = Message("user", (render("data_blind", question=question_block(asked)),))
        journaled = ctx.journaled(Heard(model))
        config = GenerateConfig(temperature=_TEMPERATURE, max_tokens=_MAX_TOKENS)
        replies = [await journaled.generate([message], tools=(), config=config) for _ in range(tries)]
        answers = tuple(map(_said, replies))
        right = sum(_is_right(item, answer) for answer in answers)
        return [as_value(BlindTest(tries, right, answers))]

    config = {
        "model": model_identity(model),
        "tries": tries,
        "temperature": _TEMPERATURE,
        "max_tokens": _MAX_TOKENS,
        "prompt": prompt_digest("data_blind"),
    }
    return Step("blind", 1, config, run)


def _said(output: ModelOutput) -> str:
    """The answer given, "" for none."""
    final = read_final(output)
    return final.text[:_SHOWN] if isinstance(final, Answer) else ""


def _is_right(item: Item, answer: str) -> bool:
    if not answer:
        return False
    if item.question.options:
        chosen = extract_choice(answer, item.question.options)
        return chosen is not None and chosen == item.right
    return mentions(answer, item.question.answer)
