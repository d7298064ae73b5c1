"""What the endpoint of `endpoint.py` says to a good request: a plausible reply that is a pure function of the request.

Data prompts are known by their first line ``Task: <name>``, agents by their tools. Whoever is asked a question of this
module's own making knows the answer, `answer_to`, and where it is seen, `moment_of`, from its words alone: so a trace
about it can be right, and one about any other question is wrong.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CAPTION_LINE = re.compile(r"^(?:Events? [\d to]+\. )?From ([\d.]+) to ([\d.]+) s: (.*)$", re.MULTILINE)
_SOUNDS = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]  # 70 of them: digits to base 70
_CODE = re.compile(r"\b([a-z]{8})-([a-z]{8})\b")
_WHO = ("baker", "diver", "farmer", "guide", "painter", "pilot", "sailor", "singer", "tailor", "weaver")
_HOW = ("calm", "grey", "merry", "old", "quick", "quiet", "tall", "tired", "young")
_DOES = ("folds a map", "lights a lamp", "lifts a basket", "opens a gate", "paints a door", "rings a bell")
_WHERE = ("bridge", "courtyard", "ferry", "harbour", "kitchen", "market", "orchard", "station", "tower")
_THINGS = ("anchor", "button", "candle", "feather", "hammer", "kettle", "ladder", "mirror", "needle", "pepper")
_KINDS = ("amber", "brass", "copper", "ivory", "marble", "silver", "velvet", "walnut")


@dataclass(frozen=True)
class Reply:
    """``calls`` are names of tools and their arguments; ``task`` says what was recognised."""

    task: str
    text: str
    calls: Sequence[tuple[str, Mapping[str, Any]]] = field(default=())


def reply_to(body: Mapping[str, Any], digest: str) -> Reply:
    """The good reply to a request whose bytes have this digest."""
    dice = random.Random(digest)
    messages: list[Mapping[str, Any]] = body["messages"]
    for message in reversed(messages):
        prompt = next((text for text in _texts(message) if text.startswith("Task: ")), "")
        if message["role"] == "user" and prompt:
            return _play(prompt, dice)
    names = [tool["function"]["name"] for tool in body.get("tools", [])]
    if "crop_video" in names or any(message["role"] == "tool" for message in messages):
        return _agent(messages, dice)
    return Reply("chat", _story(dice))


def answer_to(question: str) -> str:
    """The right answer to a question of this module: two words."""
    dice = random.Random("answer " + _plain(question))
    return f"{dice.choice(_KINDS)} {dice.choice(_THINGS)}"


def moment_of(question: str) -> tuple[float, float] | None:
    """Where the answer to a question of this module is seen, in seconds; None for another's question."""
    found = _CODE.search(question)
    return (_decoded(found[1]), _decoded(found[2])) if found else None


def _play(prompt: str, dice: random.Random) -> Reply:
    task, _, rest = prompt[len("Task: ") :].partition("\n")
    task = task.strip()
    if task == "repair":
        inner = re.search(r"<<<\n(Task: .*?)\n>>>\n\nThe reply was:", rest, re.DOTALL)
        return _play(inner[1], dice) if inner else Reply(task, "Nothing to repair was given.")
    if task not in TASKS:
        return Reply(f"unknown task {task}", _story(dice))
    return Reply(task, TASKS[task](rest, dice))


# ---------------------------------------------------------------------------------------------------- the tasks


def _caption(prompt: str, dice: random.Random) -> str:
    return f"<caption>{_story(dice)} {_story(dice)}</caption>"


def _question(prompt: str, dice: random.Random) -> str:
    lines = CAPTION_LINE.findall(prompt)
    letter = _found(r"it stands at the letter ([A-Z])", prompt)
    steps = sorted(dice.sample(lines, min(2, len(lines))), key=lambda line: float(line[0]))
    start, end, _ = steps[0]
    question = f"{_asked(dice)} {_marked(float(start), float(end))}?"
    options = [answer_to(question)]
    while len(options) < 4:
        other = f"{dice.choice(_KINDS)} {dice.choice(_THINGS)}"
        options += [other] if other not in options else []
    at = "ABCD".index(letter)
    options[0], options[at] = options[at], options[0]
    written = "\n".join(f"{name}. {text}" for name, text in zip("ABCD", options, strict=True))
    reasons = "\n".join(f"##### From [{start} to {end}]:\n- {_first(text)}" for start, end, text in steps)
    return (
        f"QUESTION: {question}\nOPTIONS:\n{written}\nANSWER: {letter}\nREASONS:\n{reasons}\n- So it is {options[at]}."
    )


def _reformat(prompt: str, dice: random.Random) -> str:
    notes = _found(r"Notes:\n(.*?)\n\nReply in this form", prompt)
    return f"REASONING: I watch it closely. {' '.join(notes.split())}\nANSWER: {_found(r'Right answer: (.*)', prompt)}"


def _same_event(prompt: str, dice: random.Random) -> str:
    return dice.choice(("yes", "no", "no"))


def _merged(prompt: str, dice: random.Random) -> str:
    return f"<caption>{_together(prompt, dice)}</caption>"


def _summary(prompt: str, dice: random.Random) -> str:
    return f"<summary>{_together(prompt, dice)}</summary>"


def _together(prompt: str, dice: random.Random) -> str:
    return " ".join(_first(text) for _, _, text in CAPTION_LINE.findall(prompt)) + f" {_story(dice)}"


def _event_question(prompt: str, dice: random.Random) -> str:
    start, end, _ = dice.choice(CAPTION_LINE.findall(prompt))
    question = f"{_asked(dice)} {_marked(float(start), float(end))}?"
    start_time, end_time = moment_of(question) or (0.0, 0.0)
    found = {"question": question, "answer": answer_to(question), "start_time": start_time, "end_time": end_time}
    return json.dumps(found)


def _text_filter(prompt: str, dice: random.Random) -> str:
    listed = _found(r"one JSON object a line:\n\n(.*?)\n\nChoose the best", prompt)
    order = [json.loads(line)["index"] for line in listed.splitlines()]
    dice.shuffle(order)
    most = min(int(_found(r"at most (\d+)", prompt)), max(1, len(order) * 3 // 4))
    keep = [{"index": index, "rank": rank} for rank, index in enumerate(order[:most], 1)]
    return json.dumps({"keep": keep, "rejected": [{"index": i, "reason": "another is better"} for i in order[most:]]})


def _visual_filter(prompt: str, dice: random.Random) -> str:
    return f"Score: {dice.choice((0.9, 0.95, 1.0, 1.0, 0.1))}"


def _blind(prompt: str, dice: random.Random) -> str:
    question = _found(r"Question: (.*)", prompt)
    options = re.findall(r"^([A-Z])\. ", prompt, re.MULTILINE)
    guess = dice.choice(options) if options else dice.choice((answer_to(question), "a map", "nobody knows", "a bell"))
    return f"<think>I cannot see it.</think><answer>{guess}</answer>"


TASKS: dict[str, Callable[[str, random.Random], str]] = {
    "caption": _caption,
    "question": _question,
    "reformat": _reformat,
    "same_event": _same_event,
    "merge_captions": _merged,
    "summary": _summary,
    "merge_summaries": _summary,
    "event_question": _event_question,
    "text_filter": _text_filter,
    "visual_filter": _visual_filter,
    "blind": _blind,
}
"""``repair`` is played as the task that it is about."""
JSON_TASKS = ("event_question", "text_filter")
AGENT_TASKS = ("look", "answer")


# ---------------------------------------------------------------------------------------------------- the agent


def _agent(messages: Sequence[Mapping[str, Any]], dice: random.Random) -> Reply:
    """Crops the moment of the question first, then answers."""
    told = "\n".join(text for message in messages if message["role"] == "user" for text in _texts(message))
    question = _found(r"Question: (.*)", told)
    start, end = moment_of(question) or (0.0, 2.0)
    if not any(message["role"] == "tool" for message in messages):
        arguments = {"start_time": start, "end_time": end}
        return Reply("look", "<think>I look at it more closely.</think>", [("crop_video", arguments)])
    answer = answer_to(question)
    letters = [name for name, text in re.findall(r"^([A-Z])\. (.*)$", told, re.MULTILINE) if _plain(text) == answer]
    evidence = f"<evidence>{start:.1f} - {end:.1f} s: it is there</evidence>"
    said = f"<think>Now I see: {_story(dice)}</think>\n<answer>{letters[0] if letters else answer}</answer>\n{evidence}"
    return Reply("answer", said)


# ---------------------------------------------------------------------------------------------------- the words


def _story(dice: random.Random) -> str:
    who, how, does, where = (dice.choice(words) for words in (_WHO, _HOW, _DOES, _WHERE))
    return f"A {how} {who} {does} near the {where} while {dice.randrange(2, 900)} lanterns hang above."


def _asked(dice: random.Random) -> str:
    return f"What does the {dice.choice(_HOW)} {dice.choice(_WHO)} near the {dice.choice(_WHERE)} take out of the crate"


def _marked(start: float, end: float) -> str:
    """A moment within the span, as a word that `moment_of` reads."""
    third = (end - start) / 3
    return f"marked {_encoded(start + third / 2)}-{_encoded(end - third / 2)}"


def _encoded(seconds: float) -> str:
    number, sounds = round(seconds * 1000), ""
    for _ in range(4):
        number, digit = divmod(number, 70)
        sounds = _SOUNDS[digit] + sounds
    return sounds


def _decoded(word: str) -> float:
    number = 0
    for at in range(0, len(word), 2):
        number = number * 70 + _SOUNDS.index(word[at : at + 2])
    return number / 1000


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _first(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL if "(.*?)" in pattern else 0)
    return found[1] if found else ""


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if part.get("type") == "text"]


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
