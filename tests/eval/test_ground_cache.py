"""The grounding cache: built by a model alone, resumed, read in the seed's form too, and where a team then begins."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_episodes import (
    BBT,
    FRIENDS,
    Talking,
    longtake,
    make_data,
    num_images,
    number_of,
    right_clip,
    team,
    text_of,
)
from PIL import Image

from clips import picture_of
from fake_openai import Act, Fail, Say
from longtake.agents.ground import Ground
from longtake.errors import ConfigError, FormatError
from longtake.eval.data.benchmark import load_spec
from longtake.eval.data.read import read_benchmark
from longtake.eval.ground_cache import first_clips, read_ground_cache
from longtake.eval.items import Item
from longtake.eval.regrade import Opened
from longtake.eval.run import evaluate_async
from longtake.eval.seed_files import written_meanwhile
from longtake.eval.settings import read_eval_settings
from longtake.models.journaled import Limits
from longtake.types import Answer, Message, ModelOutput, Sample
from longtake.video.decode import Video


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("grounding"))


def command(data: Path, fake: Talking, *more: object) -> list[object]:
    return [
        "ground-cache", "--dataset", "tvqa", "--questions-path", data / "questions.jsonl", "--subs-path",
        data / "subs.json", "--base-frame-dir", data / "frames", "--grounding-model", "grounder",
        "--grounding-base-url", fake.base_url, "--output-dir", "cache", *more,
    ]  # fmt: skip


CACHE = Path("cache") / "grounding_cache_tvqa_grounder.json"


def test_the_cache_is_built_and_a_failure_is_no_entry(data: Path, tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> Act:
        match number_of(text_of(body)):
            case "2":
                return Say("it is somewhere")
            case "3":
                return Say(f"<clip>{right_clip('1')}</clip>")  # of the other episode
            case "4":
                return Fail(400, {"error": {"message": "too long for me"}})
            case _:
                return team(body)

    with Talking(say, "grounder") as fake:
        out, _ = longtake(*command(data, fake, "--json"), cwd=tmp_path, code=1)
        assert fake.count("grounder") == 5  # one is asked again for the form
        told = json.loads(out)
        assert (told["found"], sorted(told["failed"])) == (1, ["2", "3", "4"])
        assert "too long for me" in told["failed"]["4"]
        assert "no clip of the video" in told["failed"]["3"]
        assert "No clip is named" in told["failed"]["2"]
        cache = json.loads((tmp_path / CACHE).read_text())
        assert list(cache) == ["1"]
        assert {key: cache["1"][key] for key in ("question", "clip", "status")} == {
            "question": "What was stolen?", "clip": right_clip("1"), "status": "ok",
        }  # fmt: skip
        failed = json.loads((tmp_path / CACHE.with_suffix(".failed.json")).read_text())
        assert sorted(failed) == ["2", "3", "4"]
        everything = (tmp_path / CACHE).read_text() + json.dumps(failed)
        assert not any(right_clip(id_) in everything for id_ in "24")  # no gold where the model gave nothing
        prompt = text_of(fake.requests[0])
        assert (fake.requests[0]["temperature"], fake.requests[0]["max_tokens"]) == (0.6, 1024)
        assert f"<{BBT}_seg02_clip_00>[00:00:08.0" in prompt or f"<{FRIENDS}_seg01_clip_01>[00:00:04.0" in prompt
        fake.say, before = team, len(fake.requests)
        longtake(*command(data, fake), cwd=tmp_path, code=1)
        assert len(fake.requests) - before == 1  # only what got no reply is tried again
    assert sorted(json.loads((tmp_path / CACHE).read_text())) == ["1", "4"]


def test_killed_while_building_it_goes_on(data: Path, tmp_path: Path) -> None:
    def slowly(body: dict[str, Any]) -> Act:
        return replace(Say(f"<clip>{right_clip(number_of(text_of(body)))}</clip>"), seconds=0.2)

    with Talking(slowly, "grounder") as fake:
        arguments = [str(each) for each in command(data, fake, "--threads", 1)]
        with subprocess.Popen(
            [sys.executable, "-m", "longtake", "eval", *arguments],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": ""},
            stderr=subprocess.DEVNULL,
        ) as process:
            give_up_at = time.monotonic() + 60
            while len(fake.requests) < 3 and time.monotonic() < give_up_at:
                time.sleep(0.01)
            process.kill()
        assert len(fake.requests) == 3
        out, _ = longtake(*command(data, fake, "--threads", 1), cwd=tmp_path)
        assert len(fake.requests) == 5  # two were answered, the third was under way
    assert "4 clips found, 0 failed" in out
    assert {id_: entry["clip"] for id_, entry in json.loads((tmp_path / CACHE).read_text()).items()} == {
        id_: right_clip(id_) for id_ in "1234"
    }
    assert not (tmp_path / CACHE.with_suffix(".failed.json")).exists()


def test_any_team_begins_where_the_cache_says(data: Path, tmp_path: Path) -> None:
    other = f"{BBT}_seg01_clip_01"
    (tmp_path / "cache.json").write_text(json.dumps({"1": {"qid": 1, "question": "x", "clip": other}}))
    run = [
        "run", "longtvqa", "--data", data / "questions.jsonl", "--videos", data / "frames", "--subtitles",
        data / "subs.json", "--model", "openai:master", "--ground-cache", "cache.json", "--out", "run", "--limit", 2,
    ]  # fmt: skip
    with Talking(team, "master") as fake:
        fake.say = lambda body: Say("<answer>C</answer>")
        longtake(*run, "--agent", "team", "--base-url", fake.base_url, cwd=tmp_path)
        openings = {number_of(text_of(body)): text_of(body) for body in fake.requests}
        assert f"\n\n{other} [" in openings["1"]
        assert f"\n\n{BBT}_seg01_clip_00 [" in openings["2"]
        assert json.loads((tmp_path / "run" / "run.json").read_text())["told"]["num_first_clips"] == 1
        longtake(*run, "--agent", "team", "--base-url", fake.base_url, cwd=tmp_path)
        assert len(fake.requests) == 2
        (tmp_path / "cache.json").write_text(json.dumps({"1": {"qid": 1, "question": "x", "clip": right_clip("1")}}))
        longtake(*run, "--agent", "team", "--base-url", fake.base_url, cwd=tmp_path)
        assert len(fake.requests) == 3  # only the question that begins elsewhere now is another one
        _, err = longtake(*run[:-4], "--out", "direct", "--agent", "direct", cwd=tmp_path, code=2, OPENAI_API_KEY="k")
        assert "the agent 'direct' begins nowhere" in err
        (tmp_path / "cache.json").write_text(json.dumps({"1": {"question": "Who?", "clip": other}}))
        _, err = longtake(*run, "--agent", "team", "--base-url", fake.base_url, cwd=tmp_path, code=2)
        assert "no question of LongTVQA is in it with a clip that its video has" in err


def items(data: Path) -> list[Item]:
    return list(read_benchmark(load_spec("longtvqa"), [data / "questions.jsonl"], videos=data / "frames").items)


def test_entries_are_matched_by_id_or_words_and_must_be_of_the_video(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cache.json"

    def found(*entries: dict[str, Any]) -> dict[str, str]:
        path.write_text(json.dumps(list(entries)))
        return first_clips(read_ground_cache(path), items(data), 3.0)

    assert found({"qid": 3, "question": "other words", "clip": f"{FRIENDS}_seg01_clip_01"}) == {
        "3": f"{FRIENDS}_seg01_clip_01"
    }
    same = "What is  said first?\n"
    assert found({"question": same, "clip": f"{BBT}_seg02_clip_00"}) == {"2": f"{BBT}_seg02_clip_00"}
    both = [{"question": same, "clip": f"{BBT}_seg0{n}_clip_00"} for n in (1, 2)]
    assert found(*both) == {}  # nobody knows which of the two is meant
    assert found({"question": same, "clip": f"BBT_{BBT}_seg02_clip_00"}) == {"2": f"{BBT}_seg02_clip_00"}
    assert found({"question": same, "clip": "elsewhere"}, {"question": same, "clip": "", "status": "error"}) == {}
    with pytest.raises(ConfigError, match=r"entry 1 of the grounding cache .* has no question and clip"):
        found({"clip": "a"})
    path.write_text("{")
    with pytest.raises(ConfigError, match="is not JSON"):
        read_ground_cache(path)
    with pytest.raises(ConfigError, match="longtake eval ground-cache makes one"):
        read_ground_cache(tmp_path / "none.json")


def test_wordless_clips_are_told_apart_by_pictures(data: Path, tmp_path: Path) -> None:
    with Talking(team, "grounder") as fake:
        (tmp_path / "none.json").write_text(json.dumps({"elsewhere": "words"}))
        arguments = command(data, fake, "--max-samples", 1)
        arguments[arguments.index("--subs-path") + 1] = "none.json"
        longtake(*arguments, cwd=tmp_path)
        assert "a picture from its middle" in text_of(fake.requests[0])
        assert num_images(fake.requests[0]) == 3


def test_what_grounding_reads_and_refuses(tmp_path: Path) -> None:
    agent = Ground()

    def parse(text: str, **fields: Any) -> object:
        return agent.parse(ModelOutput(Message("assistant", (text,)), "m", **fields))

    assert parse("<think><clip>a</clip></think>not <clip>b</clip> but <clip> c_01 </clip>.") == Answer("c_01")
    for text in ("", "clip c", "<clip></clip>", "<think><clip>a</clip></think>"):
        with pytest.raises(FormatError, match="No clip is named"):
            parse(text)
    with pytest.raises(ConfigError, match="fixed, scenes, chapters"):
        Ground(clips="songs")  # type: ignore[arg-type]
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(1, 31):
        Image.fromarray(picture_of(number)).save(folder / f"{number:05}.jpg")
    video = Video.open(folder)
    asked = replace(agent, clip_seconds=5.0).opening(Sample("1", str(folder), "Where?"), video)[0].text
    assert "<clip_000>[00:00:00.0" in asked
    assert "<clip>clip_001</clip>" in asked


def test_files_are_written_while_a_run_is_at_work(data: Path, tmp_path: Path) -> None:
    def slowly(body: dict[str, Any]) -> Act:
        return replace(Say(f"<clip>{right_clip(number_of(text_of(body)))}</clip>"), seconds=0.3)

    root, seen = tmp_path / "run", list[int]()

    def write(opened: Opened) -> None:
        seen.append(len(opened.ended))

    with Talking(slowly, "grounder") as fake:
        settings = read_eval_settings(
            {
                "benchmark": "longtvqa",
                "data": (str(data / "questions.jsonl"),),
                "videos": str(data / "frames"),
                "subtitles": str(data / "subs.json"),
                "agent": "ground",
                "model": "openai:grounder",
                "base_url": fake.base_url,
            }
        )
        with written_meanwhile(root, write, every_seconds=0.02):
            metrics = asyncio.run(evaluate_async(settings, root, limits=Limits(1)))
    assert metrics["headline"]["value"] == 1  # type: ignore[index,call-overload]
    assert {0, 1, 2, 3} & set(seen[:-1])
    assert seen == sorted(seen)
    assert seen[-1] == 4
    seen.clear()
    with pytest.raises(ConfigError), written_meanwhile(root, write):
        raise ConfigError("begun otherwise")
    assert seen == []
    with pytest.raises(KeyboardInterrupt), written_meanwhile(root, write):
        raise KeyboardInterrupt
    assert seen == [4]
