"""Made rows in the form of each benchmark, and the files that hold them. No row is of real data.

`VARIANTS` names every form; each writes its files into a folder and says what must be read from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Made:
    """``data`` are what is given; the rest is what the first item must be."""

    benchmark: str
    data: list[Path]
    question: str
    choices: tuple[str, ...] = ()
    target: str | None = None
    spans: tuple[tuple[float, float], ...] = ()
    video: str = "v1"
    kind: str = "choice"
    id: str | None = None
    strata: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clip: str | None = None
    num_items: int = 1
    split: str | None = None


def jsonl(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


def array(path: Path, rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1), "utf-8")
    return path


def table(path: Path, rows: Rows) -> Path:
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def parquet(path: Path, rows: Rows) -> Path:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
    return path


FOUR = ("a red kite", "a boat", "the lighthouse", "nobody")
SIX = (*FOUR, "a dog", "two gulls")


def listed(options: Sequence[str], form: str = "{letter}. {text}") -> list[str]:
    return [form.format(letter="ABCDEFGH"[i], text=text) for i, text in enumerate(options)]


def longvideo_reason(folder: Path) -> Made:
    row = {
        "problem_id": 7,
        "problem": "Why does she wait?\n" + "\n".join(listed(FOUR)),
        "data_type": "video",
        "problem_type": "goal",
        "reasoning": "SECRET she waits for the boat",
        "videos": "longvila_videos/v1.webm",
        "answer": "<answer>B</answer>",
    }
    data = parquet(folder / "test-00000-of-00001.parquet", [row])
    strata = {"type": ("goal",), "data_type": ("video",)}
    return Made(
        "longvideo-reason-eval",
        [data],
        "Why does she wait?",
        FOUR,
        "B",
        video="longvila_videos/v1.webm",
        id="7",
        strata=strata,
    )


def videosiah(folder: Path) -> Made:
    row = {"video_path": "v1.mp4", "question": "What is painted on the boat?", "answer": "A white star"}
    data = parquet(folder / "test-00000-of-00001.parquet", [row])
    return Made("videosiah-eval", [data], row["question"], target="A white star", video="v1.mp4", kind="text")


def _tvqa(**more: object) -> dict[str, Any]:
    options = {f"a{i}": text for i, text in enumerate((*FOUR, "a dog"))}
    return {"qid": 11, "q": "What is on the hill?", **options, **more}


def longtvqa(folder: Path) -> Made:
    more = {"answer": "a2", "ts": [3.5, 9.0], "episode_name": "met_s01e02", "occur_clip": "met_s01e02_seg01_clip_03"}
    data = array(folder / "LongTVQA_val.jsonl", [_tvqa(show_name="HIMYM", **more)])
    spans, clip = (), "met_s01e02_seg01_clip_03"  # where the clip lies in the episode is not known without its frames
    return Made(
        "longtvqa",
        [data],
        "What is on the hill?",
        (*FOUR, "a dog"),
        "C",
        spans,
        "met_s01e02",
        id="11",
        strata={"show": ("HIMYM",)},
        clip=clip,
    )


def longtvqa_plus(folder: Path) -> Made:
    boxes = {"3": [{"img_id": 3, "top": 1, "left": 1, "width": 5, "height": 5, "label": "SECRET lighthouse"}]}
    row = _tvqa(answer="a2", ts=[3.5, 9.0], occur_clip="s01e02_seg02_clip_12", bbox=boxes)
    data = array(folder / "LongTVQA_plus_val.jsonl", [row])
    return Made(
        "longtvqa+",
        [data],
        "What is on the hill?",
        (*FOUR, "a dog"),
        "C",
        video="s01e02",
        clip="s01e02_seg02_clip_12",
    )


def tvqa(folder: Path) -> Made:
    rows = [
        _tvqa(answer_idx=2, ts="76.01-84.2", vid_name="v1", show_name="Castle"),
        {**_tvqa(answer_idx=0, ts="nan-nan", vid_name="v2", show_name="Castle"), "qid": 12},
    ]
    jsonl(folder / "tvqa_train.jsonl", rows[:1] * 3)
    data = jsonl(folder / "tvqa_val.jsonl", rows).parent
    return Made(
        "tvqa",
        [data],
        "What is on the hill?",
        (*FOUR, "a dog"),
        "C",
        ((76.01, 84.2),),
        strata={"show": ("Castle",)},
        num_items=2,
    )


def tvqa_test(folder: Path) -> Made:
    row = _tvqa(ts="1-2.5", vid_name="v1", show_name="Castle")
    jsonl(folder / "tvqa_val.jsonl", [row] * 2)
    data = jsonl(folder / "tvqa_test_public.jsonl", [row]).parent
    spans = ((1.0, 2.5),)
    return Made("tvqa", [data], "What is on the hill?", (*FOUR, "a dog"), None, spans, split="test_public")


def tvqa_plus(folder: Path) -> Made:
    row = _tvqa(answer_idx="3", ts=[0, 5.4], vid_name="v1", bbox={"1": [{"img_id": 1, "label": "SECRET nobody"}]})
    data = array(folder / "tvqa_plus_val.json", [row])
    return Made("tvqa+", [data], "What is on the hill?", (*FOUR, "a dog"), "D", ((0.0, 5.4),))


def video_mme(folder: Path) -> Made:
    row = {
        "video_id": "001",
        "duration": "short",
        "domain": "Knowledge",
        "sub_category": "Astronomy",
        "url": "x",
        "videoID": "v1",
        "question_id": "001-1",
        "task_type": "Counting Problem",
        "question": "Who waves?",
        "options": listed(FOUR),
        "answer": "D",
    }
    data = parquet(folder / "videomme" / "test-00000-of-00001.parquet", [row]).parent.parent
    strata = {
        "duration": ("short",),
        "domain": ("Knowledge",),
        "sub_category": ("Astronomy",),
        "task_type": ("Counting Problem",),
    }
    return Made("video-mme", [data], "Who waves?", FOUR, "D", id="001-1", strata=strata)


def video_mme_tsv(folder: Path) -> Made:
    row = {
        "index": 0,
        "video": "v1",
        "video_path": "./video/v1.mp4",
        "duration": "long",
        "candidates": str(listed(FOUR)),
        "question": "Who waves?",
        "answer": "A",
        "question_id": "001-1",
    }
    return Made("video-mme", [table(folder / "Video-MME.tsv", [row])], "Who waves?", FOUR, "A")


def lvbench(folder: Path) -> Made:
    question = "What flies?\n" + "\n".join(listed(FOUR, "({letter}) {text}"))
    more = {"question_type": ["entity recognition", "reasoning"], "time_reference": "01:05-01:10"}
    inner = {"uid": "311", "question": question, "answer": "A", **more}
    outer = {"key": "v1", "type": "cartoon", "video_info": {"fps": 25}, "qa": [inner, {**inner, "uid": "312"}]}
    data = jsonl(folder / "video_info.meta.jsonl", [outer])
    strata = {"question_type": ("entity recognition", "reasoning"), "video_type": ("cartoon",)}
    return Made("lvbench", [data], "What flies?", FOUR, "A", ((65.0, 70.0),), id="311", strata=strata, num_items=2)


def lvbench_hub(folder: Path) -> Made:
    row = {
        "uid": "311",
        "video_path": "v1.mp4",
        "question": "What flies?",
        "options": list(FOUR),
        "answer": "A",
        "question_type": ["reasoning"],
        "time_reference": "1:00:05-1:00:10",
    }
    data = parquet(folder / "data" / "train-00000-of-00001.parquet", [row])
    return Made("lvbench", [data], "What flies?", FOUR, "A", ((3605.0, 3610.0),), video="v1.mp4")


def longvideobench(folder: Path) -> Made:
    row = {
        "id": "v1_0",
        "video_id": "v1",
        "video_path": "v1.mp4",
        "subtitle_path": "v1_en.json",
        "question": "At the pier, who stands?",
        **{f"option{i}": text for i, text in enumerate((*FOUR[:3], "N/A", "N/A"))},
        "correct_choice": 2,
        "duration": 600.5,
        "duration_group": 3600,
        "question_category": "S2E",
        "level": "L1-Perception",
        "starting_timestamp_for_subtitles": 4,
    }
    parquet(folder / "test-00000-of-00001.parquet", [{**row, "correct_choice": -1}])
    data = parquet(folder / "validation-00000-of-00001.parquet", [row]).parent
    strata = {"duration_group": ("3600",), "question_category": ("S2E",), "level": ("L1-Perception",)}
    return Made("longvideobench", [data], row["question"], FOUR[:3], "C", video="v1.mp4", id="v1_0", strata=strata)


def longvideobench_json(folder: Path) -> Made:
    row = {"id": "v1_0", "video_path": "v1.mp4", "question": "Who?", "candidates": list(FOUR), "correct_choice": 0}
    array(folder / "lvb_test_wo_gt.json", [{key: row[key] for key in row if key != "correct_choice"}])
    array(folder / "subtitles" / "v1_en.json", [{"start": "0:0:1", "end": "0:0:2", "line": "hello"}])
    data = array(folder / "lvb_val.json", [row]).parent
    return Made("longvideobench", [data], "Who?", FOUR, "A", video="v1.mp4")


def longvideobench_test(folder: Path) -> Made:
    made = longvideobench(folder)
    return Made("longvideobench", made.data, made.question, made.choices, None, video="v1.mp4", split="test")


def mlvu(folder: Path) -> Made:
    base = {"video": "v1.mp4", "duration": 480.0}
    count = {**base, "question": "How many gulls?", "candidates": ["2", "4", "3", "1"], "answer": "2"}
    plot = {**base, "question": "Who waits?", "candidates": list(FOUR), "answer": FOUR[1], "question_type": "plotQA"}
    scene = {**base, "question": "Describe the pier.", "answer": "It is long.", "question_type": "sub_scene"}
    typo = {**plot, "question": "Who sings?", "answer": "a bote"}
    array(folder / "json" / "1_plotQA.json", [plot, typo])
    array(folder / "json" / "4_count.json", [{**count, "question_type": "count"}])
    array(folder / "json" / "8_sub_scene.json", [scene])
    strata = {"task": ("plotQA",)}
    return Made("mlvu-dev", [folder], "Who waits?", FOUR, "B", video="v1.mp4", strata=strata, num_items=3)


def mlvu_hub(folder: Path) -> Made:
    question = "Who waits?\n" + "\n".join(listed(FOUR, "({letter}) {text}"))
    row = {"video_name": "v1.mp4", "question": question, "answer": "C", "task_type": "plotQA"}
    data = parquet(folder / "data" / "test-00000-of-00001.parquet", [row])
    return Made("mlvu-dev", [data], "Who waits?", FOUR, "C", video="v1.mp4", strata={"task": ("plotQA",)})


def mlvu_test(folder: Path) -> Made:
    row = {
        "video": "v1.mp4",
        "duration": 480.0,
        "question": "Who waits?",
        "candidates": list(SIX),
        "question_id": "AR_0",
    }
    asked = {**row, "question_type": "anomaly_reco"}
    array(folder / "test-question" / "test_mcq.json", [asked])
    array(folder / "test-ground-truth" / "test_mcq_gt.json", [{**asked, "answer": SIX[5]}])
    strata = {"task": ("anomaly_reco",)}
    return Made("mlvu-test", [folder], "Who waits?", SIX, "F", video="v1.mp4", id="AR_0", strata=strata)


def mlvu_test_one_file(folder: Path) -> Made:
    made = mlvu_test(folder)
    data = [folder / "test-ground-truth" / "test_mcq_gt.json"]
    return Made("mlvu-test", data, "Who waits?", SIX, "F", video="v1.mp4", id="AR_0", strata=made.strata)


def charades(folder: Path) -> Made:
    row = {"video": "v1.mp4", "caption": "person opens a door.", "timestamp": [24.3, 30.4]}
    data = parquet(folder / "test-00000-of-00001.parquet", [row])
    return _charades([data], "v1.mp4")


def charades_txt(folder: Path) -> Made:
    data = folder / "charades_sta_test.txt"
    data.write_text("v1 24.3 30.4##person opens a door.\nv2 5.0 1.0##person sits.\n\nno such line\n")
    (folder / "charades_sta_train.txt").write_text("v9 1.0 2.0##a person eats.\n")
    return _charades([folder], "v1")


def _charades(data: list[Path], video: str) -> Made:
    asked = 'When does this happen in the video: "person opens a door."? Give the start and the end in seconds.'
    return Made("charades-sta", data, asked, (), "24.3 - 30.4", ((24.3, 30.4),), video, "span")


def own(folder: Path) -> Made:
    data = folder / "own.jsonl"
    rows = [
        {"question": "Who waits?", "video": "v1.mp4", "choices": list(FOUR), "answer": "b"},
        {"question": "What is it?", "video": "v1.mp4", "answer": "None"},
        {"question": "How many?", "video": "v1.mp4", "answer": 3},
        {"question": "When?", "video": "v1.mp4", "answer": [1.5, 2]},
        {"question": "No answer yet", "video": "v1.mp4"},
    ]
    data.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, rows)).encode())
    return Made("custom", [data], "Who waits?", FOUR, "B", video="v1.mp4", num_items=5)


def own_csv(folder: Path) -> Made:
    row = {"id": "q1", "question": "Who, then?\nSay it.", "video": "v1.mp4", "options": json.dumps(FOUR), "answer": "D"}
    more = {"start_time": "1.5", "end_time": "2"}
    return Made(
        "custom", [table(folder / "own.csv", [{**row, **more}])], row["question"], FOUR, "D", ((1.5, 2.0),), "v1.mp4"
    )


def own_by_id(folder: Path) -> Made:
    rows = {"q-9": {"question": "Who?", "video": "v1", "option": FOUR, "answer": 1}}
    return Made("custom", [array(folder / "rows.json", rows)], "Who?", FOUR, "B", id="q-9")


def own_in_object(folder: Path) -> Made:
    rows = {"version": 1, "data": [{"question": "Who?", "video": "v1", "answer": "she"}]}
    return Made("custom", [array(folder / "rows.json", rows)], "Who?", target="she", kind="text")


def video_mme_v2(folder: Path) -> Made:
    options = "\n".join(listed((*SIX, "a crab", "the sea")))
    row = {
        "video_id": "v1",
        "question_id": "1",
        "question": "Who?",
        "options": options,
        "answer": "H",
        "group_type": "logic",
    }
    data = parquet(folder / "test.parquet", [row])
    return Made("custom", [data], "Who?", (*SIX, "a crab", "the sea"), "H", strata={"type": ("logic",)})


def cg_bench(folder: Path) -> Made:
    row = {
        "video_uid": "v1",
        "qid": 4,
        "question": "Who?",
        "choices": list(SIX),
        "answer": "a boat",
        "right_answer": "B",
        "domain": "Life",
        "clue_intervals": [[1, 2], [5, 9.5]],
    }
    spans = ((1.0, 2.0), (5.0, 9.5))
    return Made("custom", [array(folder / "cgbench_mini.json", [row])], "Who?", SIX, "B", spans, id="4")


def egoschema(folder: Path) -> Made:
    row = {
        "video_idx": "v1",
        "question_idx": "0",
        "question": "What is C doing?",
        "option": listed(SIX[:5]),
        "answer": "3",
    }
    return Made("custom", [array(folder / "ego.json", [row])], "What is C doing?", SIX[:5], "D")


def mmvu(folder: Path) -> Made:
    choice = {"id": "1", "video": "v1", "question_type": "multiple-choice", "question": "Who?", "answer": "B"}
    choice["choices"] = dict(zip("ABCD", FOUR, strict=True))
    words = {
        **choice,
        "id": "2",
        "question_type": "open-ended",
        "choices": dict.fromkeys("ABCD", ""),
        "answer": "sodium",
    }
    return Made("custom", [array(folder / "mmvu.json", [choice, words])], "Who?", FOUR, "B", num_items=2)


def video_holmes(folder: Path) -> Made:
    options = dict(zip("ABCDEF", SIX, strict=True))
    row = {
        "video ID": "v1",
        "Question ID": "0",
        "Question Type": "SR",
        "Question": "Who?",
        "Options": options,
        "Answer": "F",
    }
    return Made("custom", [array(folder / "holmes.json", [row])], "Who?", SIX, "F", strata={"type": ("SR",)})


VARIANTS: list[Callable[[Path], Made]] = [
    longvideo_reason,
    videosiah,
    longtvqa,
    longtvqa_plus,
    tvqa,
    tvqa_test,
    tvqa_plus,
    video_mme,
    video_mme_tsv,
    lvbench,
    lvbench_hub,
    longvideobench,
    longvideobench_json,
    longvideobench_test,
    mlvu,
    mlvu_hub,
    mlvu_test,
    mlvu_test_one_file,
    charades,
    charades_txt,
    own,
    own_csv,
    own_by_id,
    own_in_object,
    video_mme_v2,
    cg_bench,
    egoschema,
    mmvu,
    video_holmes,
]
