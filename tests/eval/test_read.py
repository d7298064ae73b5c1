"""A benchmark read whole: nothing is dropped, ids are one each, videos and subtitles are found, the hub is pinned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import made_rows
import numpy as np
import pytest
from made_rows import FOUR, array, jsonl, parquet
from PIL import Image

from longtake.errors import ConfigError
from longtake.eval.data.benchmark import load_spec
from longtake.eval.data.read import Loaded, read_benchmark
from longtake.types import to_json

OWN = {"question": "Who?", "video": "v1.mp4", "choices": list(FOUR), "answer": "B"}


def read_own(folder: Path, *rows: dict[str, Any], **more: Any) -> Loaded:
    return read_benchmark(load_spec("custom"), [jsonl(folder / "own.jsonl", rows)], **more)


def test_every_row_is_an_item_malformed_or_a_duplicate(tmp_path: Path):
    path = jsonl(tmp_path / "own.jsonl", [OWN, OWN, {**OWN, "answer": "Z"}, {"video": "v"}, {"question": "x"}])
    path.write_text(path.read_text() + "{no JSON\n")
    loaded = read_benchmark(load_spec("custom"), [path])
    assert (loaded.num_rows, len(loaded.items), len(loaded.duplicates)) == (6, 1, 1)
    assert [(row.source, row.row) for row in loaded.malformed] == [("own.jsonl", n) for n in (3, 4, 5, 6)]
    said = " | ".join(row.reason for row in loaded.malformed)
    assert "'Z' names none of the 4 options" in said
    assert "no question in question, " in said
    assert "no video; looked in video, " in said


def test_a_row_without_a_column_says_which_it_has(tmp_path: Path):
    loaded = read_own(
        tmp_path,
        {"Frage": "Who?", "video": "v"},
        {"question": "Who?", "Film": "v", "video": ""},
        {**OWN, "answer": "Z"},
    )
    first, second, third = (row.reason for row in loaded.malformed)
    assert "; the row has: Frage, video" in first
    assert "; the row has: question, Film, video (empty)" in second
    assert "the row has" not in third


def test_columns_are_found_in_spite_of_case_and_spaces_but_never_guessed(tmp_path: Path):
    row = {"QUESTION": "Who?", "Video Path": "v1", "Choices": list(FOUR), "correct answer": "B", "ID": 7, "Start": 1}
    item = read_own(tmp_path, row).items[0]
    sample = item.sample
    assert (sample.question, item.video_name, sample.choices) == ("Who?", "v1", FOUR)
    assert (sample.target, sample.id) == ("B", "7")
    assert read_own(tmp_path, {**OWN, "ANSWER": "C"}).items[0].sample.target == "B"
    two = {"question": "Who?", "VIDEO": "v1", "Video": "v2"}
    assert "no video" in read_own(tmp_path, two).malformed[0].reason


def test_options_between_bars(tmp_path: Path):
    texts = ("Tern|Heron | Gull", "A. Tern | B. Heron | C. Gull")
    for item in read_own(tmp_path, *({**OWN, "id": n, "choices": text} for n, text in enumerate(texts))).items:
        assert (item.sample.choices, item.sample.target) == (("Tern", "Heron", "Gull"), "B")
    (row,) = read_own(tmp_path, {**OWN, "choices": "Tern, Heron"}).malformed
    assert "write a list, bars ('a cat|a dog') or labels" in row.reason


def test_half_a_character_is_malformed(tmp_path: Path):
    rows = [
        {**OWN, "question": "Who\ud83d?"},
        {**OWN, "choices": ["x", "\udc00"], "answer": "A"},
        {**OWN, "question": "Who\U0001f600?"},
    ]
    loaded = read_own(tmp_path, *rows)
    assert [(row.row, "half a character" in row.reason) for row in loaded.malformed] == [(1, True), (2, True)]
    assert to_json(loaded.items[0].sample)


def test_options_that_stand_in_the_question_too_are_shown_once(tmp_path: Path):
    question = "Who?\n" + "\n".join(made_rows.listed(FOUR, "({letter}) {text}"))
    sample = read_own(tmp_path, {**OWN, "question": question}).items[0].sample
    assert (sample.question, sample.choices) == ("Who?", FOUR)


@pytest.mark.parametrize(
    ("truth", "why"),
    [
        ({"candidates": ["x", "w", "y", "z"]}, "has other options"),
        ({"question": "Who sleeps?"}, "answers another question, 'Who sleeps?'"),
    ],
)
def test_ground_truth_of_something_else_is_not_merged(truth: dict[str, Any], why: str, tmp_path: Path):
    row = {"question_id": "AR_0", "video": "v.mp4", "question": "Who  waits?", "candidates": ["w", "x", "y", "z"]}
    row["question_type"] = "count"
    other = {**row, "question_id": "AR_1"}
    (tmp_path / "test-question").mkdir()
    (tmp_path / "test-question" / "test_mcq.json").write_text(json.dumps([row, other]))
    answers = [{**row, **truth, "answer": "w"}, {**other, "question": "Who waits?", "answer": "x"}]
    (tmp_path / "test_mcq_gt.json").write_text(json.dumps(answers))
    loaded = read_benchmark(load_spec("mlvu-test"), [tmp_path])
    assert [(item.sample.id, item.sample.target) for item in loaded.items] == [("AR_1", "B")]
    assert why in loaded.malformed[0].reason


def test_a_list_in_an_open_question_is_no_choice(tmp_path: Path):
    steps = "The steps: 1. mix 2. bake 3. eat. Which comes last?"
    lines = "Which?\nA. one\nB. two"
    rows = [("x", steps, "it is eaten"), ("y", steps, None), ("z", lines, "B"), ("w", "Who?\nA.\nB.", "she")]
    loaded = read_own(tmp_path, *({"id": id_, "question": q, "video": "v", "answer": a} for id_, q, a in rows))
    assert [item.kind for item in loaded.items] == ["text", "text", "choice", "text"]
    assert loaded.items[0].sample.question == steps


def test_an_id_that_is_taken_gets_one_of_its_own(tmp_path: Path):
    rows = [
        {**OWN, "id": 1},
        {**OWN, "id": 1, "question": "When?"},
        {**OWN, "id": 1},
        {**OWN, "id": "1~2"},
        {**OWN, "id": 2},
    ]
    loaded = read_own(tmp_path, *rows)
    assert [item.sample.id for item in loaded.items] == ["1", "1~2", "1~2~2", "2"]
    assert [(row.row, row.id) for row in loaded.duplicates] == [(3, "1")]
    assert len(loaded.notes) == 2


def test_ids_do_not_depend_on_what_comes_after(tmp_path: Path):
    first = read_own(tmp_path, OWN, {**OWN, "question": "When?"})
    then = read_own(tmp_path, OWN, {**OWN, "question": "When?"}, {**OWN, "question": "Why?"})
    assert [item.sample.id for item in first.items] == [item.sample.id for item in then.items[:2]] == ["own:1", "own:2"]


def test_provenance_names_the_files(tmp_path: Path):
    loaded = read_own(tmp_path, OWN)
    (file,) = loaded.provenance["files"]
    assert file["name"] == "own.jsonl"
    assert file["num_bytes"] == (tmp_path / "own.jsonl").stat().st_size
    assert len(file["sha256"]) == 64
    assert loaded.provenance["num_rows"] == 1


def test_gold_is_not_in_what_an_agent_sees(tmp_path: Path):
    row = {**OWN, "answer": "c", "spans": [[77.5, 88.5]], "reasoning": "SECRET", "bbox": {"1": [{"label": "SECRET"}]}}
    sample = read_own(tmp_path, {**row, "occur_clip": "SECRET"}).items[0].sample
    assert (sample.target, len(sample.target_spans), sample.metadata["clip"]) == ("C", 1, "SECRET")
    seen = repr(sample.without_gold())
    assert "SECRET" not in seen
    assert "77.5" not in seen


def test_videos_are_found_beside_the_data_and_where_they_are_said_to_be(tmp_path: Path):
    for name in ("v1.mp4", "videos/shard_1/v2.webm"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    rows = [OWN, {**OWN, "video": "longvila_videos/v2.mp4"}, {**OWN, "video": "v3.mp4"}]
    beside = read_own(tmp_path, *rows)
    assert [Path(item.sample.video).name for item in beside.items] == ["v1.mp4", "v2.webm", ""]
    there = read_own(tmp_path, *rows, videos=tmp_path / "videos")
    assert [Path(item.sample.video).name for item in there.items] == ["", "v2.webm", ""]


def test_the_path_of_a_video_of_ones_own_may_lead_anywhere_but_not_under_a_folder_that_is_given(tmp_path: Path):
    outside = tmp_path / "outside" / "v.mp4"
    outside.parent.mkdir()
    outside.write_bytes(b"x")
    row = {**OWN, "video": str(outside)}
    data = tmp_path / "data"
    assert read_own(data, row).items[0].sample.video == str(outside)
    (tmp_path / "videos").mkdir()
    assert read_own(data, row, videos=tmp_path / "videos").items[0].sample.video == ""


def test_a_name_that_fits_several_videos_is_reported(tmp_path: Path):
    for name in ("a/v1.mp4", "b/v1.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    loaded = read_own(tmp_path, OWN)
    assert loaded.items[0].sample.video == ""
    assert "a/v1.mp4, b/v1.mp4" in loaded.ambiguous["v1.mp4"]


def frames(folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    for n in range(1, number + 1):
        Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(folder / f"{n:05d}.jpg")


def test_gold_spans_of_a_clip_are_put_on_the_clock_of_its_episode(tmp_path: Path):
    made = made_rows.longtvqa_plus(tmp_path)
    for clip, number in (("seg01_clip_00", 9), ("seg02_clip_12", 36), ("seg02_clip_13", 3)):
        frames(tmp_path / "frames" / f"s01e02_{clip}", number)
    item = read_benchmark(load_spec("longtvqa+"), made.data, videos=tmp_path / "frames").items[0]
    (span,) = item.sample.target_spans
    assert (span.start, span.end) == (6.5, 12.0)  # 3.5 to 9 s of a clip that begins after 9 frames at 3 a second
    assert item.sample.metadata["clip_spans"] == [[3.5, 9.0]]


def test_a_gold_span_of_a_clip_that_is_not_there_is_left_out_and_noted(tmp_path: Path):
    made = made_rows.longtvqa_plus(tmp_path)
    frames(tmp_path / "frames" / "s01e02_seg01_clip_00", 9)
    loaded = read_benchmark(load_spec("longtvqa+"), made.data, videos=tmp_path / "frames")
    assert loaded.items[0].sample.target_spans == ()
    assert "s01e02_seg02_clip_12 is not in" in loaded.notes[0].reason


def test_subtitles_that_the_row_names_are_shifted_to_the_video(tmp_path: Path):
    made = made_rows.longvideobench(tmp_path)
    cues = [("00:00:05.000", "00:00:06.500", "Land ho"), ("00:20:00", "00:20:01", "after the end")]
    rows = [{"start": start, "end": end, "line": line} for start, end, line in cues]
    array(tmp_path / "subtitles" / "v1_en.json", rows)
    spec = load_spec("longvideobench")
    loaded = read_benchmark(spec, made.data)
    assert loaded.num_subtitles == 1
    words = json.loads(Path(str(loaded.items[0].sample.subtitles)).read_text())
    assert words == [{"start": 1.0, "end": 2.5, "text": "Land ho"}]
    assert read_benchmark(spec, made.data, subtitles=False).items[0].sample.subtitles is None


def test_subtitles_in_a_folder_of_their_own_and_in_one_file_for_all(tmp_path: Path):
    made = made_rows.video_mme(tmp_path)
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "v1.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n<font>hello</font>\n")
    item = read_benchmark(load_spec("video-mme"), made.data).items[0]
    assert item.sample.subtitles == str(tmp_path / "subtitle" / "v1.srt")
    made = made_rows.tvqa(tmp_path / "tvqa")
    jsonl(tmp_path / "tvqa_subtitles.jsonl", [{"vid_name": "v1", "sub": [{"start": 0, "end": 1, "text": "hi"}]}])
    loaded = read_benchmark(load_spec("tvqa"), made.data, subtitles=tmp_path / "tvqa_subtitles.jsonl")
    assert loaded.num_subtitles == 1
    assert loaded.items[0].sample.subtitles
    assert loaded.items[1].sample.subtitles is None


@pytest.mark.parametrize(
    ("benchmark", "data", "said"),
    [
        ("custom", None, "custom needs data"),
        ("custom", ["nowhere.jsonl"], "no file or folder nowhere.jsonl"),
        ("custom", ["hf:a/b", "c.jsonl"], "not both"),
        ("tvqa", ["."], "no data file in"),
    ],
)
def test_no_data_is_an_error(benchmark: str, data: list[str] | None, said: str, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        read_benchmark(load_spec(benchmark), data)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"videos": "nope"}, "--videos: there is no folder .*nope; give the folder that holds the files"),
        ({"videos": "own.jsonl"}, "--videos: .*own.jsonl is a file; give the folder"),
        ({"subtitles": "nope"}, "--subtitles: there is no folder .*nope"),
        ({"subtitles": "own.jsonl"}, "--subtitles: .*own.jsonl is a file; give the folder"),
    ],
)
def test_a_wrong_path_is_the_mistake_of_who_gave_it(given: dict[str, str], said: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=said):
        read_own(tmp_path, OWN, **{option: tmp_path / path for option, path in given.items()})


def test_a_shared_subtitle_file_that_is_none(tmp_path: Path):
    made = made_rows.tvqa(tmp_path)
    with pytest.raises(ConfigError, match=r"--subtitles: there is no subtitle file .*words\.json"):
        read_benchmark(load_spec("tvqa"), made.data, subtitles=tmp_path / "words.json")


def test_what_longtake_wrote_into_a_folder_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("out/run.json", "out/calls/x.json", "longtake-runs/a/trace.json", "longtake-runs/a/b.jsonl"):
        array(tmp_path / name, {"turns": 3})
    monkeypatch.chdir(tmp_path)
    for folder in (".", tmp_path):
        with pytest.raises(ConfigError, match=r"run\.json or trace\.json are left out.*name the data file with --data"):
            read_benchmark(load_spec("custom"), [folder])
    jsonl(tmp_path / "own.jsonl", [OWN])
    assert len(read_benchmark(load_spec("custom"), ["."]).items) == 1
    array(tmp_path / "metrics.json", {"turns": 3})
    with pytest.raises(ConfigError, match=r"metrics\.json is an object with turns.*name the data file with --data"):
        read_benchmark(load_spec("custom"), ["."])


def test_one_file_under_two_names_is_one_video(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "v1.mp4").write_bytes(b"x")
    loaded = read_own(tmp_path, {**OWN, "video": "a/v1.mp4"}, OWN, {**OWN, "video": "a/v2.mp4"})
    first, second, third = (item.video_id for item in loaded.items)
    assert first == second != third


def test_a_split_that_is_not_there_is_an_error(tmp_path: Path):
    made = made_rows.tvqa(tmp_path)
    with pytest.raises(ConfigError, match=r"of the split 'test'; there are: tvqa_train.jsonl, tvqa_val.jsonl"):
        read_benchmark(load_spec("tvqa"), made.data, split="test")


def test_an_empty_file_is_an_error(tmp_path: Path):
    (tmp_path / "own.jsonl").write_text("\n")
    with pytest.raises(ConfigError, match=r"no row in own\.jsonl"):
        read_benchmark(load_spec("custom"), [tmp_path / "own.jsonl"])


# --------------------------------------------------------------------------------------------------------- hub


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as `huggingface_hub` asks for: what a repository has, and its files at a commit."""

    protocol_version = "HTTP/1.1"
    repos: ClassVar[dict[str, dict[str, bytes]]] = {}
    configs: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        match parts:
            case [
                "api",
                "datasets",
                owner,
                name,
                "revision",
                "main" | "v1" | "0123456789abcdef0123456789abcdef01234567",
            ]:
                repo = f"{owner}/{name}"
                if repo in self.repos:
                    files = [{"rfilename": file} for file in self.repos[repo]]
                    card = self.configs.get(repo, {})
                    body = {"id": repo, "sha": COMMIT, "siblings": files, "cardData": card}
                    return self.answer(json.dumps(body).encode(), {"Content-Type": "application/json"})
            case ["datasets", owner, name, "resolve", commit, *path] if commit == COMMIT:
                data = self.repos.get(f"{owner}/{name}", {}).get("/".join(path))
                if data is not None:
                    return self.answer(data, {"X-Repo-Commit": COMMIT, "ETag": f'"{hash(data):x}"'})
        self.answer(b"", {"X-Error-Code": "RevisionNotFound"}, 404)

    do_HEAD = do_GET

    def answer(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("huggingface_hub")
    made = made_rows.lvbench_hub(tmp_path / "made").data[0].read_bytes()
    own = (json.dumps(OWN) + "\n").encode()
    Hub.repos = {
        "lmms-eval/LVBench": {
            "README.md": b"",
            "data/train-00000-of-00001.parquet": made,
            "video_chunks/a.zip": b"x" * 99,
        },
        "me/own": {"test.jsonl": own, "train.jsonl": own * 2, "odd_name.jsonl": own.replace(b"Who?", b"Whose?")},
        "sy1998/MLVU_Test": {
            path.relative_to(tmp_path).as_posix(): path.read_bytes()
            for path in made_rows.mlvu_test(tmp_path / "mlvu").data[0].rglob("*.json")
        },
    }
    Hub.configs = {
        "me/own": {"configs": [{"config_name": "default", "data_files": [{"split": "odd", "path": "odd*"}]}]}
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


SCRIPT = """
import json, sys
from longtake.errors import ConfigError
from longtake.eval.data.benchmark import load_spec
from longtake.eval.data.read import read_benchmark
for name, data, more in json.loads(sys.argv[1]):
    try:
        loaded = read_benchmark(load_spec(name), data, **more)
        first = loaded.items[0].sample
        print(json.dumps([len(loaded.items), first.question, first.target, loaded.provenance]))
    except ConfigError as e:
        print(json.dumps(str(e)))
"""


def ask_hub(endpoint: str, home: Path, *asked: tuple[str, list[str] | None, dict[str, str]]) -> list[Any]:
    """In a process of its own: the client reads its settings when it is imported."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": ""}
    env["NO_PROXY"] = "127.0.0.1"
    command = [sys.executable, "-c", SCRIPT, json.dumps(asked)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_hub_is_read_at_a_commit(hub: str, tmp_path: Path):
    lvbench, split, card, mlvu, missing, no_split = ask_hub(
        hub,
        tmp_path / "home",
        ("lvbench", None, {}),
        ("custom", ["hf:me/own@v1"], {"split": "test"}),
        ("custom", ["hf:me/own"], {"split": "odd"}),
        ("mlvu-test", None, {}),
        ("custom", ["hf:me/nothing"], {}),
        ("custom", ["hf:me/own"], {"split": "dev"}),
    )
    assert lvbench[:3] == [1, "What flies?", "A"]
    said = lvbench[3]
    assert (said["source"], said["requested_revision"], said["revision"]) == ("hf:lmms-eval/LVBench", "main", COMMIT)
    assert [file["name"] for file in said["files"]] == ["data/train-00000-of-00001.parquet"]
    assert (split[0], split[1], split[3]["requested_revision"]) == (1, "Who?", "v1")
    assert card[1] == "Whose?"
    assert mlvu[:3] == [1, "Who waits?", "F"]
    assert "hf:me/nothing@main cannot be fetched: 404" in missing
    assert "no data files of the split 'dev'; it has: odd_name.jsonl, test.jsonl, train.jsonl" in no_split


def test_a_hub_that_is_not_there_is_an_error(tmp_path: Path):
    pytest.importorskip("huggingface_hub")
    (said,) = ask_hub("http://127.0.0.1:9", tmp_path, ("lvbench", None, {}))
    assert "hf:lmms-eval/LVBench@main cannot be fetched" in said
    assert "give --data with local files" in said


def test_a_file_of_parquet_needs_its_extra(tmp_path: Path, monkeypatch: Any):
    path = parquet(tmp_path / "rows.parquet", [{"question": "Who?"}])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'longtake\[data\]'"):
        read_benchmark(load_spec("custom"), [path])
