"""The code of the tiny tasks, in the forms that lmms-eval's own tasks have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def visual(doc: dict[str, Any]) -> list[str]:
    path = FOLDER / doc["video"]
    if not path.exists():
        sys.exit(f"video path:{path} does not exist")
    return [str(path)]


def text(doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, str]) -> str:
    options = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", doc["options"], strict=False))
    return f"{doc['question']}\nOptions:\n{options}\n{lmms_eval_specific_kwargs['post_prompt']}"


def place(doc: dict[str, Any]) -> int:
    return "ABCD".index(doc["answer"])


def results(doc: dict[str, Any], answers: list[str]) -> dict[str, Any]:
    print("a task that talks")
    score = float(answers[0].strip("(). ")[:1].upper() == doc["answer"])
    return {"harbour_score": score, "harbour_by_kind": {"kind": doc["video"], "score": score, "said": answers[0]}}


def share(values: list[dict[str, Any]]) -> float:
    return 100 * sum(value["score"] for value in values) / len(values)
