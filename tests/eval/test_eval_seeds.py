"""The seeds' own evaluations, as a person runs them: their arguments, their files, resumed without a call twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_episodes import (
    BBT,
    FRIENDS,
    WORDS,
    Talking,
    longtake,
    make_data,
    num_images,
    number_of,
    right_clip,
    right_letter,
    team,
    text_of,
)

from clips import write_clock
from fake_openai import Act, Fail, Say
from longtake.surfaces.seed_options import model_spec


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("episodes"))


def paths(data: Path) -> list[object]:
    return [
        "--questions-path", data / "questions.jsonl", "--subs-path", data / "subs.json",
        "--base-frame-dir", data / "frames",
    ]  # fmt: skip


def unified(data: Path, fake: Talking, *more: object) -> list[object]:
    return [
        "longvideoagent", "--dataset", "tvqa", *paths(data), "--main-model", "master", "--main-base-url", fake.base_url,
        "--grounding-model", "grounder", "--vision-model", "viewer", "--max_turn", 5, "--threads", 4,
        "--checkpoint_step", 100, "--output-filename", "eval.json", *more,
    ]  # fmt: skip


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_longvideoagent_grounds_first_and_writes_its_files(data: Path, tmp_path: Path) -> None:
    with Talking(team, "master", "grounder", "viewer") as fake:
        out, err = longtake(*unified(data, fake, "--bbox-json-path", "boxes.json"), cwd=tmp_path)
        assert fake.refused == []
        assert (fake.count("grounder"), fake.count("viewer"), fake.count("master")) == (4, 4, 8)
        longtake(*unified(data, fake), cwd=tmp_path)
        assert len(fake.requests) == 16  # nothing is asked twice
        assert not any("GOLDBOX" in text_of(body) for body in fake.requests)
        looks = [num_images(body) for body in fake.requests if body["model"] == "viewer"]
        assert set(looks) <= set(range(12, 16))
    assert "grounding 4 questions first" in err
    assert "--bbox-json-path is not used" in err
    assert "75.0" in out

    summary = read(tmp_path / "eval.json")
    assert (summary["dataset"], summary["checkpoint_step"], summary["max_turn"]) == ("tvqa", "100", 5)
    assert (summary["total"], summary["model_path"]) == (4, "master")
    told = summary["metadata"]
    assert told["accuracy"] == 0.75
    assert told["coverage"] == 1
    assert (told["avg_turns"], told["vision_calls_total"], told["grounding_calls_total"]) == (2, 4, 0)
    assert (told["completed_questions"], told["completion_rate"]) == (4, 1)
    assert (told["grounding_accuracy"], told["first_grounding_accuracy"]) == (1, 1)
    assert told["first_grounding_usage"]["calls"] == 4
    assert [row["qid"] for row in summary["results"]] == ["1", "2", "3", "4"]
    assert [row["final_answer"] for row in summary["results"]] == ["a2", "a0", "a1", "a0"]
    assert summary["results"][0]["vid"] == summary["results"][0]["predicted_clip"] == right_clip("1")
    detail = read(tmp_path / "data_log_eval.json")
    assert "bicycle" in detail[0]["conversation_history"]
    assert detail[0]["last_llm_response"] == "<answer>C</answer>"
    assert (tmp_path / "eval" / "metrics.json").is_file()
    assert (tmp_path / "eval" / "report.html").is_file()


def test_a_cache_takes_the_place_of_grounding(data: Path, tmp_path: Path) -> None:
    """Theirs is matched by the words of the question; the clip tells questions of the same words apart."""
    entries = {
        str(n): {"question": question, "clip": clip, "vid_name": "gold", "status": "ok"}
        for n, (question, clip) in enumerate(
            [
                ("What was stolen? ", f"{BBT}_seg01_clip_01"),
                ("What is said first?", f"{BBT}_seg01_clip_00"),
                ("What is said first?", f"{FRIENDS}_seg01_clip_00"),
                ("Whose umbrella is it?", ""),
            ]
        )
    }
    (tmp_path / "cache.json").write_text(json.dumps(entries))
    with Talking(team, "master", "grounder", "viewer") as fake:
        _, err = longtake(*unified(data, fake, "--grounding-cache-json-path", "cache.json"), cwd=tmp_path)
        assert fake.count("grounder") == 1  # the one whose entry is a failure
        openings = {number_of(text_of(body)): text_of(body) for body in fake.requests if body["model"] == "master"}
    assert "grounding 1 question first" in err
    assert WORDS[f"{BBT}_seg01_clip_01"] in openings["1"]
    assert WORDS[f"{FRIENDS}_seg01_clip_00"] in openings["3"]
    assert WORDS[f"{FRIENDS}_seg01_clip_01"] in openings["4"]
    told = read(tmp_path / "eval.json")["metadata"]
    assert told["first_grounding_accuracy"] == 0.75


def test_grounding_that_fails_is_no_gold_clip(data: Path, tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> Act:
        if body["model"] == "grounder" and number_of(text_of(body)) == "1":
            return Say("<clip>the gold one</clip>")
        return team(body)

    with Talking(say, "master", "grounder", "viewer") as fake:
        _, err = longtake(*unified(data, fake), cwd=tmp_path)
    assert "eval-grounding/cache.failed.json" in err
    failed = read(tmp_path / "eval-grounding" / "cache.failed.json")
    assert list(failed) == ["1"]
    assert "'the gold one', which is no clip of the video" in failed["1"]["error"]
    row = read(tmp_path / "eval.json")["results"][0]
    assert (row["predicted_clip"], row["vid"]) == ("", f"{BBT}_seg01_clip_00")
    told = read(tmp_path / "eval.json")["metadata"]
    assert (told["first_grounding_accuracy"], told["grounding_accuracy"]) == (0.75, 0.75)


def test_files_hold_what_is_known_when_a_run_ends_early(data: Path, tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> Act:
        if body["model"] == "master" and number_of(text_of(body)) == "3":
            return Fail(401, {"error": {"message": "no credit", "code": "invalid_api_key"}})
        return team(body)

    with Talking(say, "master", "grounder", "viewer") as fake:
        _, err = longtake(*unified(data, fake, "--threads", 1), cwd=tmp_path, code=1)
        assert "no credit" in err
        summary = read(tmp_path / "eval.json")
        assert summary["total"] == 4
        assert summary["metadata"]["accuracy"] is None
        assert summary["metadata"]["no_verdict"]
        assert summary["results"][2]["final_answer"] == ""
        before = len(fake.requests)
        fake.say = team
        longtake(*unified(data, fake, "--threads", 1), cwd=tmp_path)
        assert len(fake.requests) - before == 6  # two questions of three calls
    assert read(tmp_path / "eval.json")["metadata"]["accuracy"] == 0.75


def test_keys_of_the_three_are_their_own_and_kept_nowhere(data: Path, tmp_path: Path) -> None:
    with Talking(team, "master", "grounder", "viewer") as fake:
        longtake(
            *unified(data, fake, "--main-api-key", "sk-main-1", "--vision-api-key", "sk-view-1"),
            cwd=tmp_path,
            qdd_api="sk-ground-1",
        )
        sent = {
            body["model"]: headers["Authorization"] for body, headers in zip(fake.requests, fake.headers, strict=True)
        }
    assert sent == {"master": "Bearer sk-main-1", "viewer": "Bearer sk-view-1", "grounder": "Bearer sk-ground-1"}
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(b"sk-" in content for content in files)


def test_nothing_is_grounded_while_another_agent_is_not_there(data: Path, tmp_path: Path) -> None:
    with Talking(team, "master", "grounder") as fake:
        _, err = longtake(*unified(data, fake), cwd=tmp_path, code=2)
        assert "the server has no model 'viewer'" in err
        assert fake.requests == []


def test_the_baseline_is_one_call_a_question(data: Path, tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> Act:
        return Say(f"<answer>{right_letter(number_of(text_of(body)))}</answer>")

    command = [
        "tvqa-baseline",
        *paths(data),
        "--model",
        "master",
        "--threads",
        10,
        "--output-filename",
        "out/tvqa.json",
    ]
    with Talking(say, "master") as fake:
        longtake(*command, "--base-url", fake.base_url, cwd=tmp_path)
        assert len(fake.requests) == 4
        assert all(num_images(body) == 16 for body in fake.requests)
        asked = {number_of(text_of(body)): text_of(body) for body in fake.requests}
        assert all(words in asked["1"] for clip, words in WORDS.items() if clip.startswith(BBT))
        assert "umbrella" not in asked["1"]
        assert fake.requests[0]["temperature"] == 0.6
        assert fake.requests[0]["max_tokens"] == 2500
        longtake(*command, "--base-url", fake.base_url, cwd=tmp_path)
        assert len(fake.requests) == 4
    found = read(tmp_path / "out" / "tvqa.json")
    assert (found["total"], found["metadata"]["accuracy"]) == (4, 1)
    assert found["results"][0] == {
        "qid": "1", "vid": right_clip("1"), "question": "What was stolen?", "final_answer": "a2",
    }  # fmt: skip


def test_the_baseline_reads_tvqa_and_tvqa_plus(data: Path, tmp_path: Path) -> None:
    """Their own rows name a clip and an option's number, in TVQA+ as text, and boxes beside."""
    row = {"qid": 7, "q": "What was stolen?", **{f"a{n}": f"thing 1.{n}" for n in range(5)}, "ts": "0.5-1.5"}
    clip = {"vid_name": f"{BBT}_seg02_clip_00", "show_name": "The Big Bang Theory"}
    (tmp_path / "tvqa_val.jsonl").write_text(json.dumps({**row, **clip, "answer_idx": 2}) + "\n")
    (tmp_path / "tvqa_plus_val.json").write_text(json.dumps([{**row, **clip, "answer_idx": "2", "ts": [0.5, 1.5]}]))
    with Talking(lambda body: Say("<answer>a2</answer>"), "master") as fake:
        for name in ("tvqa_val.jsonl", "tvqa_plus_val.json"):
            longtake(
                "tvqa-baseline", "--questions-path", name, *paths(data)[2:], "--model", "master", "--threads", 1,
                "--output-filename", f"{name}.out", "--out", f"{name}.run", "--base-url", fake.base_url, cwd=tmp_path,
            )  # fmt: skip
            assert read(tmp_path / f"{name}.out")["metadata"]["accuracy"] == 1
            assert "Penny" in text_of(fake.requests[-1])


PROBLEMS = [
    ("10", "What is in the film?", "B", "<think>hm</think> <answer>B</answer>"),
    ("11", "What is not in it?", "A", "<answer>A</answer>"),
    ("12", "What else is in it?", "C", "<think>hm</think>\n<answer>A</answer>"),
]


def test_longvideo_reason_has_one_output_a_question(tmp_path: Path) -> None:
    (tmp_path / "videos" / "longvideo_eval_subset1").mkdir(parents=True)
    write_clock(tmp_path / "videos" / "longvideo_eval_subset1" / "film.mp4", fps=5, num_frames=20)
    rows = [
        {
            "problem_id": int(id_), "problem": f"{question}\nA. one\nB. two\nC. three\nD. four",
            "problem_type": "temporal", "data_type": "video", "videos": "longvila_videos/film.mp4",
            "answer": f"<answer>{answer}</answer>",
        }
        for id_, question, answer, _ in PROBLEMS
    ]  # fmt: skip
    (tmp_path / "test.json").write_text(json.dumps(rows))

    def say(body: dict[str, Any]) -> Act:
        return Say(next(said for _, question, _, said in PROBLEMS if question in text_of(body)))

    with Talking(say, "lvr") as fake:
        command = [
            "longvideo-reason", "--model-path", "lvr", "--data-path", "test.json", "--video-dir", "videos",
            "--output-dir", "runs", "--base-url", fake.base_url, "--frames", 4,
        ]  # fmt: skip
        longtake(*command, cwd=tmp_path)
        longtake(*command, cwd=tmp_path)
        assert len(fake.requests) == 3
        assert "<think>" in text_of(fake.requests[0])
    runs = tmp_path / "runs"
    found = read(runs / "metrics.json")
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["format_accuracy"] == pytest.approx(2 / 3)
    assert sorted(path.name for path in runs.glob("film.*.json")) == ["film.10.json", "film.11.json", "film.12.json"]
    output = read(runs / "film.10.json")
    assert (output["video_id"], output["problem_id"]) == ("film", "10")
    assert output["response"] == "<think>hm</think> <answer>B</answer>"
    assert output["answer"] == "<answer>B</answer>"
    assert "B. two" in output["question"]
    assert len((runs / "outputs.jsonl").read_text().splitlines()) == 3
    assert read(runs / "longtake" / "metrics.json")["n"] == 3


def test_wrong_arguments_say_what_is_allowed(data: Path, tmp_path: Path) -> None:
    given = ["--main-model", "m", "--main-base-url", "http://127.0.0.1:9/v1"]
    _, err = longtake(
        "longvideoagent", "--dataset", "tvqa", "--questions-path", "no.json", "--subs-path", data / "subs.json",
        "--base-frame-dir", "nowhere", *given, cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "there is no such file or folder: --questions-path no.json, --base-frame-dir nowhere" in err
    _, err = longtake("longvideoagent", "--dataset", "friends", *paths(data), *given, cwd=tmp_path, code=2)
    assert "'friends': it is one of tvqa, tvqa_plus" in err
    _, err = longtake(
        "longvideo-reason", "--model-path", "m", "--data-path", "no.json", "--video-dir", ".", "--output-dir", "o",
        cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "there is no such file; give one, or REPO@SPLIT" in err
    (tmp_path / "bad.json").write_text('{"1": {"answer": 3}}')
    _, err = longtake(
        "longvideoagent", "--dataset", "tvqa", *paths(data), *given, "--grounding-cache-json-path", "bad.json",
        cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "entry 1 of the grounding cache bad.json has no question and clip" in err
    _, err = longtake(
        "longvideoagent", "--dataset", "tvqa", *paths(data), *given, "--set", "vision_api_key_env=NO_SUCH_KEY",
        cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "the environment variable NO_SUCH_KEY holds no key" in err


def test_a_bare_name_is_a_model_of_an_endpoint() -> None:
    given = ["grok-4", "Qwen/Qwen3-VL-8B", "qwen3-vl:8b", "openai:gpt-5", "ollama:qwen3-vl:8b", "reader", "scripted:a"]
    assert [model_spec(name) for name in given] == [
        "openai:grok-4", "openai:Qwen/Qwen3-VL-8B", "openai:qwen3-vl:8b", *given[3:],
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["direct", "think", "tool"])
def test_longvt_modes(mode: str, tmp_path: Path) -> None:
    """One frame a second, 224 x 224 pixels at most; crops only in the mode that has them, and five rounds of them."""
    write_clock(tmp_path / "film.mp4", fps=5, num_frames=60, width=640, height=480)
    (tmp_path / "film.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nNobody reads this.\n")
    (tmp_path / "rows.jsonl").write_text(json.dumps({"video": "film.mp4", "question": "Which number?", "answer": "7"}))
    recipe = Path(__file__).parents[2] / "recipes" / f"eval_longvt_{mode}.toml"
    crop = ("crop_video", json.dumps({"video_path": "film.mp4", "start_time": 2, "end_time": 5}))

    def say(body: dict[str, Any]) -> Act:
        last = mode != "tool" or (body["messages"][-1]["role"] == "user" and len(body["messages"]) > 2)
        return Say("<think>so</think><answer>7</answer>") if last else Say("<think>closer</think>", calls=[crop])

    with Talking(say, "m") as fake:
        longtake(
            "run", "custom", "--data", "rows.jsonl", "--videos", ".", "--config", recipe, "--model", "openai:m",
            "--base-url", fake.base_url, "--out", "run", cwd=tmp_path,
        )  # fmt: skip
        assert fake.refused == []
        assert len(fake.requests) == (6 if mode == "tool" else 1)
        first, last = fake.requests[0], fake.requests[-1]
        tools = [tool["function"]["name"] for tool in first.get("tools", [])]
        assert tools == (["crop_video"] if mode == "tool" else [])
        assert num_images(first) == 12
        assert num_images(last) == 12 + 3 * (len(fake.requests) - 1)
        assert all(width * height <= 50176 for width, height in fake.images)
        said = text_of(first)
        assert ("<think>" in said) == (mode != "direct")
        assert "<answer>" in said
        assert "Nobody reads this" not in said
        assert ("film.mp4" in said) == (mode == "tool")
        assert first["max_tokens"] == {"direct": 256, "think": 4096, "tool": 49152}[mode]
    assert read(tmp_path / "run" / "metrics.json")["accuracy"]["strict"] == 1
