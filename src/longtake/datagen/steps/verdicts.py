"""Reading the short replies of models: yes or no, a score, a JSON object. Tolerant of how it is said, never of what.

Nothing is guessed: what is neither is a `FormatError`, whose message goes back to the model once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from ...agents.prompt import prompt_digest, render
from ...errors import FormatError
from ...types import JSON, Model, Part
from ..step import Context, model_identity
from .asking import ask

__all__ = ["ask_and_read", "asking_config", "read_object", "read_score", "read_yes_no"]

T = TypeVar("T")
_SHOWN = 120

_YES_NO = re.compile(
    r"(?i)\W*(?:(?:the )?(?:final )?(?:answer|verdict|reply)(?: is)?\W+)?(yes|no)\b(?!-|\W+(?:and|or)\b)"
)
_LAST_YES_NO = re.compile(r"(?i)(?<!\band )(?<!\bor )\b(yes|no)\W*\Z")
_NUMBER = r"[-+]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:\s*(?:%|/\s*\d+(?:\.\d+)?))?"
_SCORE = re.compile(rf"(?i)\bscore\b[^\w\n.,+-]*(?:is|of)?[^\w\n.,+-]*({_NUMBER})")
_NUMBERS = re.compile(rf"(?<![\w.]){_NUMBER}(?![\w])")


async def ask_and_read(
    ctx: Context,
    model: Model,
    prompt: str | Sequence[Part],
    read: Callable[[str], T],
    *,
    temperature: float,
    max_tokens: int,
) -> T:
    """What ``read`` makes of the reply. If it raises `FormatError`, the model is told why and may mend its reply, once.

    Raises what `asking.ask` raises, and the `FormatError` of the second reply."""
    parts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    said = await ask(ctx, model, parts, temperature=temperature, max_tokens=max_tokens)
    try:
        return read(said)
    except FormatError as e:
        problem = str(e).rstrip(".")
    again = "\n\n" + render("again", reply=said, problem=problem)
    return read(await ask(ctx, model, (*parts, again), temperature=temperature, max_tokens=max_tokens))


def asking_config(model: Model, prompts: Sequence[str], **settings: JSON) -> Mapping[str, JSON]:
    """The config of a step that asks ``model`` with these prompts and settings."""
    digests: dict[str, JSON] = {name: prompt_digest(name) for name in prompts}
    return {"model": model_identity(model), "prompts": digests, **settings}


def read_yes_no(said: str) -> bool:
    """Whether the reply says yes. It begins with the word or, after some words, ends with it."""
    found = _YES_NO.match(said) or _LAST_YES_NO.search(said)
    if found is None:
        raise FormatError(f"it is neither yes nor no: {_short(said)!r}")
    return found[1].lower() == "yes"


def read_score(said: str) -> float:
    """A number from 0 to 1: what follows the last "score", else the only number. ``9/10`` and ``90%`` are 0.9."""
    named = _SCORE.findall(said)
    written = [match[0] for match in _NUMBERS.finditer(said)]
    if not named and len(written) != 1:
        raise FormatError(f"it holds {len(written)} numbers and none after 'Score:': {_short(said)!r}")
    text = (named or written)[-1].replace(",", ".")
    number, slash, whole = text.partition("/")
    value = float(number.rstrip("% ")) / (100 if text.endswith("%") else 1)
    if slash:
        if float(whole) == 0:
            raise FormatError(f"the score {text!r} divides by zero")
        value /= float(whole)
    if not 0 <= value <= 1:
        raise FormatError(f"a score is from 0 to 1, got {text!r}")
    return value


def read_object(said: str) -> Mapping[str, JSON]:
    """The last JSON object in the reply that is not part of another; around it may be a code fence and words."""
    decoder, found, at = json.JSONDecoder(), list[object](), 0
    while (at := said.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(said, at)
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be kept
        except RecursionError:  # what is nested so deeply is not meant to be read
            break
        except ValueError:
            at += 1
        else:
            found.append(value)
            at = end
    if not found:
        raise FormatError(f"it holds no JSON object that can be read: {_short(said)!r}")
    return cast("Mapping[str, JSON]", found[-1])


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
