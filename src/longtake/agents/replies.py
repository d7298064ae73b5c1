"""Reading what a model wrote: the answer, its evidence, or that it abstains. Pure text, shared by all agents.

Thinking comes first and does not count: tags quoted inside ``<think>``, or in another model's marks of a thought, are
not the reply.
"""

from __future__ import annotations

import re
from typing import get_args

from ..clock import split_span
from ..types import Abstention, Answer, Evidence, ModelOutput, Source

__all__ = ["read_final", "without_thinking"]

_TAG_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "analysis", "scratchpad", "seed:think")
_THOUGHT_TAGS = (
    *((rf"<{name}(?:\s[^<>]*)?>", rf"</{name}\s*>") for name in _TAG_NAMES),
    (r"◁think▷", r"◁/think▷"),
    (r"(?-i:\[THINK\])", r"(?-i:\[/THINK\])"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<unused94>", r"<unused95>"),
    (r"<\|channel\|>(?:analysis|commentary)\b", r"<\|channel\|>final\b[^<]*<\|message\|>"),
)
"""How models mark where a thought begins and ends. A family of models with marks of its own is a line more here."""
_FLAGS = re.DOTALL | re.IGNORECASE
_THOUGHT = re.compile("|".join(f"{begin}.*?{end}" for begin, end in _THOUGHT_TAGS), _FLAGS)
_OPEN_THOUGHT = re.compile(f"(?:{'|'.join(begin for begin, _ in _THOUGHT_TAGS)}).*", _FLAGS)
_END_OF_THOUGHT = re.compile("|".join(end for _, end in _THOUGHT_TAGS), _FLAGS)
_MARKS = re.compile(r"<\|(?:(?:begin|end)_of_(?:box|solution)|return)\|>", re.IGNORECASE)
"""Marks around what is said, which are no words of it."""
_ENDS_WITH_ANSWER = re.compile(r"</(?:answer|abstain)>\s*(?:<evidence\b.*)?\Z", re.DOTALL | re.IGNORECASE)
_LAST = {
    "answer": re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    "abstain": re.compile(r"<abstain>(.*?)</abstain>", re.DOTALL | re.IGNORECASE),
}
_EVIDENCE = re.compile(r"<evidence(?:\s+source=\"(\w+)\")?>(.*?)</evidence>", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_QUOTE_MARKS = " \t\n\"'“”:,;-"


def without_thinking(text: str) -> str:
    """``text`` with its thinking and the marks of templates blanked out, letter by letter: places stay where they are.

    A thought that is still open swallows the rest, since nothing was said yet. Chat templates may open the thought in
    the prompt; then only its end shows, and all before it is thought."""
    said = _THOUGHT.sub(_blank, text)
    if lone_end := _END_OF_THOUGHT.search(said):
        said = " " * lone_end.end() + said[lone_end.end() :]
    return _MARKS.sub(_blank, _OPEN_THOUGHT.sub(_blank, said))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


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
