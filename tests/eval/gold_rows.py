"""One row in the form of every benchmark, twice: the same question with one gold and with another.

What may be shown is the same in both. Every other field holds a word with ``MARK`` in it where the form allows words,
and where it does not (letters, times) something else in each of the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MARK = "zqgold"
OPTIONS = ("a red kite", "a boat", "the lighthouse", "nobody", "a dog", "two gulls")
QUESTION = "What is on the hill?"
SPANS = {"a": (4.1357, 6.2468), "b": (11.3579, 13.8642)}
"""Of no other use, so their figures are in no prompt by chance."""

Which = Literal["a", "b"]
_LETTER = {"a": "B", "b": "D"}
_INDEX = {"a": 1, "b": 3}


@dataclass(frozen=True)
class Gold:
    """``shown`` and the two golds make the rows; ``file`` is what the data file is called."""

    benchmark: str
    shown: Mapping[str, Any]
    gold: Mapping[Which, Mapping[str, Any]]
    file: str = "data.jsonl"
    nested: str | None = None

    def write(self, folder: Path, which: Which) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        row: dict[str, Any] = {**self.shown, **self.gold[which]}
        if self.nested:
            inner = row.pop(self.nested)
            row = {**{k: v for k, v in row.items() if k not in inner}, self.nested: [inner]}
        (folder / self.file).write_text(json.dumps(row) + "\n", encoding="utf-8")
        return folder / self.file


def word(field: str, which: Which = "a") -> str:
    return f"{MARK} {field} {which}"


def both(**gold: Any) -> dict[Which, dict[str, Any]]:
    """``gold``: field -> its value, or what makes it from which of the two it is for."""
    return {which: {k: v(which) if callable(v) else v for k, v in gold.items()} for which in SPANS}


def lettered(form: str = "{}. {}", num: int = 4) -> list[str]:
    return [form.format("ABCDEF"[n], text) for n, text in enumerate(OPTIONS[:num])]


def _tvqa(**more: Any) -> dict[str, Any]:
    return {"qid": word("qid"), "q": QUESTION, **{f"a{n}": text for n, text in enumerate(OPTIONS[:5])}, **more}


def _boxes(which: Which) -> Any:
    return {
        word("frame", which): [
            {"img_id": 3, "top": 1, "left": 1, "width": 5, "height": 5, "label": word("label", which)}
        ]
    }


def _clock(seconds: float) -> str:
    return f"00:{seconds:07.4f}"


IN_QUESTION = f"{QUESTION}\n" + "\n".join(lettered())
ROWS = (
    Gold(
        "longvideo-reason-eval",
        {"problem": IN_QUESTION, "videos": "longvila_videos/v1.mp4", "problem_id": word("problem_id")},
        both(answer=lambda w: f"<answer>{_LETTER[w]}</answer>", reasoning=lambda w: word("reasoning", w),
             problem_type=lambda w: word("problem_type", w), data_type=lambda w: word("data_type", w)),
    ),
    Gold(
        "videosiah-eval",
        {"video_path": "v1.mp4", "question": QUESTION},
        both(answer=lambda w: word("answer", w), id=lambda w: word("id", w), reasoning=lambda w: word("why", w)),
    ),
    Gold(
        "longtvqa",
        _tvqa(episode_name="met_s01e02"),
        both(answer=lambda w: f"a{_INDEX[w]}", ts=lambda w: [0.2468 + _INDEX[w] / 10, 1.1357],
             occur_clip=lambda w: f"met_s01e02_seg01_clip_0{_INDEX[w] // 2}",
             show_name=lambda w: word("show_name", w), bbox=_boxes),
        file="LongTVQA_val.jsonl",
    ),
    Gold(
        "longtvqa+",
        _tvqa(),
        both(answer=lambda w: f"a{_INDEX[w]}", ts=lambda w: [0.2468 + _INDEX[w] / 10, 1.1357], bbox=_boxes,
             vid_name=lambda w: f"met_s01e02_seg01_clip_0{_INDEX[w] // 2}"),
        file="LongTVQA_plus_val.jsonl",
    ),
    Gold(
        "tvqa",
        _tvqa(vid_name="v1"),
        both(answer_idx=lambda w: _INDEX[w], ts=lambda w: "{}-{}".format(*SPANS[w]),
             show_name=lambda w: word("show_name", w)),
    ),
    Gold(
        "tvqa+",
        _tvqa(vid_name="v1"),
        both(answer_idx=lambda w: str(_INDEX[w]), ts=lambda w: [*SPANS[w]], bbox=_boxes),
        file="tvqa_plus_val.jsonl",
    ),
    Gold(
        "video-mme",
        {"videoID": "v1", "question": QUESTION, "options": lettered()},
        both(answer=lambda w: _LETTER[w], question_id=lambda w: word("question_id", w), video_id=lambda w: word("v", w),
             **{name: lambda w, name=name: word(name, w) for name in
                ("duration", "domain", "sub_category", "task_type", "url")}),
    ),
    Gold(
        "lvbench",
        {"key": "v1", "question": f"{QUESTION}\n" + "\n".join(lettered("({}) {}"))},
        both(type=lambda w: word("type", w),
             qa=lambda w: {"uid": word("uid", w), "question": f"{QUESTION}\n" + "\n".join(lettered("({}) {}")),
                           "answer": _LETTER[w], "question_type": [word("question_type", w)],
                           "time_reference": "-".join(map(_clock, SPANS[w]))}),
        nested="qa",
    ),
    Gold(
        "longvideobench",
        {"video_path": "v1.mp4", "question": QUESTION, "candidates": list(OPTIONS[:4])},
        both(correct_choice=lambda w: _INDEX[w], duration=20,
             **{name: lambda w, name=name: word(name, w) for name in
                ("id", "duration_group", "question_category", "topic_category", "level", "view_count")}),
    ),
    Gold(
        "mlvu-dev",
        {"video": "v1.mp4", "question": QUESTION, "candidates": list(OPTIONS[:4])},
        both(answer=lambda w: OPTIONS[_INDEX[w]], question_type=lambda w: word("question_type", w), duration=20),
    ),
    Gold(
        "mlvu-test",
        {"video": "v1.mp4", "question": QUESTION, "candidates": list(OPTIONS)},
        both(answer=lambda w: OPTIONS[_INDEX[w]], question_type=lambda w: word("question_type", w),
             question_id=lambda w: word("question_id", w)),
    ),
    Gold(
        "charades-sta",
        {"video": "v1.mp4", "caption": "somebody climbs the hill"},
        both(timestamp=lambda w: [*SPANS[w]], id=lambda w: word("id", w)),
    ),
    Gold(
        "custom",
        {"video": "v1.mp4", "question": QUESTION, "options": list(OPTIONS[:4])},
        both(answer=lambda w: _LETTER[w], spans=lambda w: [[*SPANS[w]]],
             **{name: lambda w, name=name: word(name, w) for name in
                ("id", "type", "domain", "level", "duration_group", "clip", "reasoning", "solution", "bbox")}),
    ),
    Gold(
        "custom",
        {"video": "v1.mp4", "question": QUESTION},
        both(target=lambda w: word("target", w), span=lambda w: [*SPANS[w]], id=lambda w: word("id", w),
             answer=lambda w: word("answer", w), metadata=lambda w: {word("key", w): word("value", w)}),
    ),
)  # fmt: skip
