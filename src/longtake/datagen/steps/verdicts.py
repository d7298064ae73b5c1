"""Reading the replies of models: a text between tags, yes or no, a score, a JSON object.

Tolerant of how it is said, never of what. Nothing is guessed: what is none is a `FormatError`, whose message goes back
to the model once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from ...agents.prompt import prompt_digest, render
from ...errors import FormatError, RejectedError
from ...models.journaled import model_identity
from ...models.phrases import is_refusal, no_content
from ...types import JSON, Model, Part
from ..step import Context
from .asking import ask

__all__ = ["ask_and_read", "asking_config", "read_object", "read_score", "read_tagged", "read_yes_no"]

T = TypeVar("T")
_SHOWN = 120

_YES_NO = re.compile(
    r"(?i)\W*(?:(?:the )?(?:final )?(?:answer|verdict|reply)(?: is)?\W+)?(yes|no)\b"
    r"(?!-|\W+(?:and|or)\b|\s*[/|]\s*(?:yes|no)\b)"
)
_LAST_YES_NO = re.compile(r"(?i)(?<!\band )(?<!\bor )(?<![/|])\b(yes|no)\W*\Z")
_NUMBER = r"[-+]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:\s*(?:%|(?:/|(?:out )?of)\s*\d+(?:\.\d+)?))?"
_NO_RANGE = r"(?!\w|[.,]?\d|\s*(?:-|–|to)\s*\d)"
_SCORE_LINE = re.compile(
    rf"(?im)^\W*(?:(?:the|my|final|overall) )*score\W*?\s*(?:[:=]|is\b)[\s*_`]*({_NUMBER}){_NO_RANGE}"
)
_SCORE = re.compile(rf"(?i)\bscore\b[^\w\n.,+-]*(?:is|of)?[^\w\n.,+-]*({_NUMBER}){_NO_RANGE}")
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


def read_tagged(said: str, tag: str) -> str:
    """The text between ``<tag>`` and ``</tag>``, on one line.

    A reply without the tags is no content, whatever it says: a refusal in any language and an error message have
    none. Raises `FormatError` unless there is one such text, `RejectedError` where it is a refusal after all."""
    found = {" ".join(text.split()) for text in re.findall(rf"(?is)<{tag}>(.*?)</{tag}>", said)} - {""}
    if len(found) != 1:
        raise FormatError(f"it has {len(found)} texts between <{tag}> and </{tag}> and needs one: {_short(said)!r}")
    (text,) = found
    if is_refusal(text):
        raise RejectedError(f"the model refused: {_short(text)}")
    if what := no_content(text):
        raise FormatError(f"between <{tag}> and </{tag}> stands {what}: {_short(text)!r}")
    return text


def read_yes_no(said: str) -> bool:
    """Whether the reply says yes. It begins with the word or, after some words, ends with it."""
    found = {match[1].lower() for match in (_YES_NO.match(said), _LAST_YES_NO.search(said)) if match}
    if len(found) != 1:
        which = "both yes and no" if found else "neither yes nor no"
        raise FormatError(f"it is {which}: {_short(said)!r}")
    return found == {"yes"}


def read_score(said: str) -> float:
    """A number from 0 to 1: of the line ``Score: N``, else what is called a score, else the only number.

    ``9/10``, ``9 out of 10`` and ``90%`` are 0.9. Raises `FormatError` for none and for scores that differ."""
    written = _SCORE_LINE.findall(said) or _SCORE.findall(said) or [match[0] for match in _NUMBERS.finditer(said)]
    scores = {_share(text) for text in written}
    if len(scores) != 1:
        raise FormatError(f"it holds {len(scores)} numbers and needs one line 'Score: NUMBER': {_short(said)!r}")
    return scores.pop()


def _share(text: str) -> float:
    number, slash, whole = re.sub(r"\s*(?:out )?of\s*", "/", text.replace(",", "."), flags=re.IGNORECASE).partition("/")
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
