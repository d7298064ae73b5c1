"""Reading what a model wrote: the answer, its evidence, or that it abstains. Pure text, shared by all agents.

Thinking comes first and does not count: tags quoted inside it are not the reply.
"""

from __future__ import annotations

import re
from typing import get_args

from ..clock import split_span
from ..models.thoughts import without_thinking
from ..types import Abstention, Answer, Evidence, ModelOutput, Source

__all__ = ["read_final", "without_thinking"]

_ENDS_WITH_ANSWER = re.compile(r"</(?:answer|abstain)>\s*(?:<evidence\b.*)?\Z", re.DOTALL | re.IGNORECASE)
_LAST = {
    "answer": re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    "abstain": re.compile(r"<abstain>(.*?)</abstain>", re.DOTALL | re.IGNORECASE),
}
_EVIDENCE = re.compile(r"<evidence(?:\s+source=\"(\w+)\")?>(.*?)</evidence>", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_QUOTE_MARKS = " \t\n\"'“”:,;-"


def read_final(output: ModelOutput) -> Answer | Abstention | None:
    r"""The last non-empty ``<answer>`` (or ``\boxed{}``) with every ``<evidence>``, or the ``<abstain>``, else None.

    A refused reply has none, and a reply that was cut off only if nothing but evidence followed."""
    said = without_thinking(output.text)
    if output.stop_reason == "refused" or (output.stop_reason == "length" and not _ENDS_WITH_ANSWER.search(said)):
        return None
    answers = [found.strip() for found in _LAST["answer"].findall(said) if found.strip()]
    if not answers:
        if reasons := _LAST["abstain"].findall(said):
            return Abstention(reasons[-1].strip() or "the model abstained without a reason")
        answers = [found.strip() for found in _BOXED.findall(said) if found.strip()]
    return Answer(answers[-1], _evidence(said)) if answers else None


def _evidence(said: str) -> tuple[Evidence, ...]:
    """Every ``<evidence source="...">12.0 - 15.5 s: quote</evidence>`` whose time range can be read."""
    found = list[Evidence]()
    for source, body in _EVIDENCE.findall(said):
        if parts := split_span(body):
            span, rest = parts
            kind: Source = source if source in get_args(Source) else "stated"
            found.append(Evidence(span, rest.strip(_QUOTE_MARKS), kind))
    return tuple(found)
