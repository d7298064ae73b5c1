"""The report of evaluations: the numbers are those of the metrics, and the page is small and does nothing of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from made_graded import graded, items_of, run_of

from clips import write_clock
from longtake.eval.items import Graded, Item
from longtake.eval.report.content import Run
from longtake.eval.report.metrics import summarise
from longtake.eval.report.write import write_pages, write_report
from longtake.eval.run import evaluate_async
from longtake.eval.settings import read_eval_settings
from longtake.media import VideoInfo
from longtake.scoring.looked import Looked
from longtake.types import Message, ModelOutput, Sample, ToolCall, ToolResult, Trace, Turn
from parts_of_page import Page, assert_only_its_own_acts

EVIL = '</script><img src=x onerror="alert(1)"><!--<script>@@SCRIPT@@ @@DATA@@ | a `b` [c](d) \n # & \u2028'


def run(name: str, made: list[Graded], items: dict[str, Item] | None = None, **given: Any) -> Run:
    settings = given.pop("settings", {"who": {"name": "crop"}, "gold_given": "", "frames": 64})
    floor = given.pop("min_coverage", 0.5)
    metrics = summarise(made, headline="lenient", min_coverage=floor, settings=settings)
    return Run(name, metrics, made, items_of(made) if items is None else items, **given)


def pages(runs: Sequence[Run], folder: Path) -> tuple[Page, str]:
    write_pages(runs, folder / "out")
    return Page(folder / "out" / "report.html"), (folder / "out" / "report.md").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_metrics(tmp_path: Path) -> None:
    one = run("crop", run_of(20))
    page, text = pages([one], tmp_path)
    assert page.data["runs"][0]["metrics"] == one.metrics
    assert (page.data["num_questions"], len(page.data["questions"]), page.data["comparisons"]) == (60, 60, [])
    headline: Any = one.metrics["headline"]
    assert f"| crop | 60 | {100 * headline['value']:.1f} |" in text
    for part in ("What is not measured", "Columns and measures", "Cost", "Where it looked", "Strata", "Exact settings"):
        assert f"## {part}" in text
    assert "| frames | 64 |" in text


def test_a_question_is_shown_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    turn = Turn(
        ModelOutput(Message("assistant", ("Let me look.",)), "m"),
        (ToolCall("1", "crop_video", {"start_time": 1.0, "end_time": 5.0}),),
        (ToolResult("1", ("5 frames of a bridge",)),),
    )
    info = VideoInfo("v.mp4", "f", 60.0, 25.0, 1500, 64, 64, "h264", False)
    trace = Trace(Sample("v0/0", "v.mp4", "?"), info, "crop", "m", {}, (), (turn,) * 20)
    one = run(
        "crop", run_of(2), trace=lambda id, _: trace if id == "v0/0" else None, link=lambda id, e: f"view#{id}/{e}"
    )
    page, _ = pages([one], tmp_path)
    row = next(row for row in page.data["questions"] if row["id"] == "v0/0")
    text, (full,), (turns,) = row["text"], row["text"]["runs"], row["turns"]
    assert (text["options"], text["target"], text["spans"]) == (["blue", "red", "green", "grey"], "B", [[10.0, 22.0]])
    assert (full["answer"], full["link"], full["frames"]) == ("B", "view#v0/0/0", 40)
    assert row["runs"][0]["state"] in ("right", "wrong")
    assert (turns["first"], len(turns["turns"])) == (4, 16)
    assert turns["turns"][0]["results"] == ["5 frames of a bridge"]


def test_no_verdict_is_a_state_of_its_own(tmp_path: Path) -> None:
    made = [
        graded("v0/0", "v0", lenient=1.0),
        graded("v1/0", "v1", lenient=0.0, unreadable=True),
        graded("v2/0", "v2", cause="transport", error="closed"),
    ]
    page, text = pages([run("crop", made)], tmp_path)
    assert [row["runs"][0]["state"] for row in page.data["questions"]] == ["right", "wrong", "none"]
    assert page.data["questions"][2]["text"]["runs"][0]["error"] == "closed"
    assert "| run | no verdict | transport |" in text
    low, _ = pages([run("crop", made, min_coverage=0.98)], tmp_path)
    assert low.data["runs"][0]["metrics"]["headline"]["value"] is None
    assert "no headline: coverage 66.67 % is below 98 %" in (tmp_path / "out" / "report.md").read_text()


def test_runs_stand_beside_each_other(tmp_path: Path) -> None:
    first, second = run_of(10), run_of(12, seed=1, accuracy=0.8)
    page, text = pages([run("a", first), run("b", second)], tmp_path)
    assert (page.data["num_questions"], len(page.data["questions"])) == (36, 36)
    absent = [row["id"] for row in page.data["questions"] if row["runs"][0] is None]
    assert len(absent) == 6
    (found,) = page.data["comparisons"]
    assert (found["a"], found["b"], found["unpaired"]["b"]["n"]) == ("a", "b", 6)
    assert "b against a" in text
    strangers, _ = pages([run("a", first), run("c", [graded("v99/0", "v99", lenient=1.0)])], tmp_path)
    assert "share no question" in strangers.data["comparisons"][0]["problem"]


def test_many_runs_are_each_held_against_the_first(tmp_path: Path) -> None:
    page, _ = pages([run(f"r{i}", run_of(3, seed=i)) for i in range(7)], tmp_path)
    assert [(one["a"], one["b"]) for one in page.data["comparisons"]] == [("r0", f"r{i}") for i in range(1, 7)]


def test_baselines_and_runs_made_with_gold_are_marked(tmp_path: Path) -> None:
    gold = {"who": {"name": "oracle-crop"}, "gold_given": "the spans where the answer is"}
    runs = [run("o", run_of(3), settings=gold), run("b", run_of(3), settings={"who": {"name": "blind"}})]
    page, text = pages([*runs, run("crop", run_of(3))], tmp_path)
    kinds = ["baseline oracle-crop · made with gold: the spans where the answer is", "baseline blind", ""]
    assert [one["kind"] for one in page.data["runs"]] == kinds
    assert "o: baseline oracle-crop · made with gold" in text


def test_epochs_are_rows_of_their_own(tmp_path: Path) -> None:
    page, _ = pages([run("crop", run_of(2, epochs=2))], tmp_path)
    assert sorted({row.get("epoch", 0) for row in page.data["questions"]}) == [0, 1]
    assert len(page.data["questions"]) == 12


@pytest.mark.parametrize("num_runs", [1, 3])
def test_five_thousand_questions_stay_below_five_megabytes(tmp_path: Path, num_runs: int) -> None:
    made = run_of(1667)
    long = {
        id: replace(item, sample=replace(item.sample, question="Why? " * 200, choices=("an option " * 20,) * 6))
        for id, item in items_of(made).items()
    }
    turn = Turn(ModelOutput(Message("assistant", ("thinking " * 500,)), "m"))
    info = VideoInfo("v.mp4", "f", 60.0, 25.0, 1500, 64, 64, "h264", False)
    trace = Trace(Sample("v", "v.mp4", "?"), info, "crop", "m", {}, (), (turn,) * 10)
    page, _ = pages([run(f"r{i}", made, long, trace=lambda *_: trace) for i in range(num_runs)], tmp_path)
    assert page.path.stat().st_size < 5_000_000
    held = page.data
    assert held["num_questions"] == 5001
    assert 0 < held["num_with_turns"] < held["num_with_text"] < len(held["questions"])
    failed = [row for row in held["questions"] if row["runs"][0]["state"] == "none"]
    assert failed
    assert all("text" in row for row in failed)  # what went wrong is shown first


def test_nothing_of_the_data_becomes_markup(tmp_path: Path) -> None:
    made = [
        graded("v0/0", EVIL, answer=EVIL, error=EVIL, lenient=1.0, strata={EVIL: (EVIL,)}),
        graded("v1/0", "v1", lenient=0.0),
    ]
    items = {
        id: replace(item, sample=replace(item.sample, question=EVIL, choices=(EVIL, EVIL)))
        for id, item in items_of(made).items()
    }
    page, text = pages([run(EVIL, made, items, settings={EVIL: EVIL})], tmp_path)
    plain, _ = pages([run("plain", run_of(2))], tmp_path / "plain")
    assert page.tags == plain.tags
    assert page.data["questions"][0]["text"]["question"] == EVIL
    assert not re.search(r"(?<!\\)[<`\[]", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_only_the_style_and_script_of_the_page_may_act(tmp_path: Path) -> None:
    page, _ = pages([run("crop", run_of(3))], tmp_path)
    assert_only_its_own_acts(page)


def test_a_run_of_nothing_has_a_report(tmp_path: Path) -> None:
    page, text = pages([run("empty", [])], tmp_path)
    assert page.data["questions"] == []
    assert "no question was graded" in text


async def test_a_folder_of_an_evaluation_becomes_its_report(tmp_path: Path) -> None:
    data = tmp_path / "mine.jsonl"
    rows = [
        {"question": f"What is in part {i}?", "video": f"{i}.mp4", "options": ["a", "b"], "answer": "ABA"[i]}
        for i in range(3)
    ]
    data.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    for row in rows:
        write_clock(tmp_path / row["video"], num_frames=25)
    settings = {"benchmark": "custom", "data": (str(data),), "videos": str(tmp_path), "agent": "constant"}
    out = tmp_path / "constant"
    metrics = await evaluate_async(read_eval_settings(settings), out)
    (out / "view").mkdir()
    (out / "view" / "index.html").touch()
    found = await asyncio.to_thread(write_report, [out], tmp_path / "shown")
    assert found == [("constant", metrics)]
    page = Page(tmp_path / "shown" / "report.html")
    (run,) = page.data["runs"]
    assert run["kind"] == "baseline constant · made with gold: the most frequent answer"
    assert [row["runs"][0]["state"] for row in page.data["questions"]] == ["right", "wrong", "right"]
    link = page.data["questions"][0]["text"]["runs"][0]["link"]
    file, _, place = link.partition("#")
    assert (tmp_path / "shown" / file).resolve() == (out / "view" / "index.html").resolve()
    assert place.endswith("/0")
    assert len(page.data["questions"][0]["turns"][0]["turns"]) == 1


def test_what_one_must_know_stands_with_the_numbers(tmp_path: Path) -> None:
    made = [*run_of(3), graded("v9/0", "v9", kind="span", lenient=0.0, scores={"temporal_iou": 0.1})]
    told = {"num_rows": 12, "num_malformed": 1, "num_duplicates": 1, "unset": None, "empty": []}
    page, text = pages([run("crop", made, settings=told)], tmp_path)
    said = page.data["runs"][0]["notes"]
    assert "12 rows: 10 asked, 1 malformed, 1 duplicate" in said
    assert any(one.startswith("strict: over 9 of 10; not defined for span questions (1)") for one in said)
    for one in said:
        assert re.sub(r"\W", "", one) in re.sub(r"\W", "", text)
    assert [term for term, _ in page.data["terms"]][:3] == ["headline", "strict", "lenient"]
    assert "- coverage: the share of questions with a verdict" in text
    assert "| num\\_rows | 12 |" in text
    assert "unset" not in text
    assert "empty" not in text
    assert "| crop | strict |" in text
    assert re.search(r"\| run \| column \| mean \| interval \| n \| coverage \|\n\| --- \| --- \| ---: ", text)


def test_runs_of_other_questions_are_not_compared_in_one_sentence(tmp_path: Path) -> None:
    runs = [run(name, [graded(f"v{i}/0", f"v{i}", lenient=1.0)]) for i, name in enumerate("abc")]
    page, text = pages(runs, tmp_path)
    assert {one["problem"] for one in page.data["comparisons"]} == {"they share no question"}
    assert text.count("share no question") == 1
    assert "Not compared: b against a; c against a; c against b: they share no question." in text


def test_agents_without_tools_have_no_looks(tmp_path: Path) -> None:
    looked = Looked(0, 0.0, 64, 2, shown=0.5)
    _, text = pages([run("direct", [graded("v0/0", "v0", lenient=1.0, looked=looked)])], tmp_path)
    assert "| direct | 1 | 50.0 | – | – | – | 0.0 | 64.0 | 2.0 |" in text
