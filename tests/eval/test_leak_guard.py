"""Gold cannot reach a prompt: no field that may hold it is ever sent, and what is sent does not depend on it at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eval_killing import write_films
from gold_rows import MARK, ROWS, SPANS, Gold, Which
from made_benchmark import play, settings, text_of
from PIL import Image

from clips import picture_of, write_frames
from longtake import registry
from longtake.agents.direct import Direct
from longtake.errors import ConfigError
from longtake.eval.data.benchmark import list_specs, load_spec
from longtake.eval.data.read import read_benchmark
from longtake.eval.run import evaluate_async
from longtake.eval.settings import read_eval_settings
from longtake.models.scripted import Request
from longtake.types import Frames, Message, ModelOutput, Sample, ToolCall
from longtake.video.decode import Video

LINES = "1\n00:00:02,000 --> 00:00:04,000\nThe kite is on the hill.\n\n2\n00:00:12,000 --> 00:00:14,000\nA boat!\n"
AGENTS: dict[str, dict[str, Any]] = {
    "direct": {"frames": 5},
    "think": {"frames": 5},
    "uniform": {"frames": 5},
    "blind": {},
    "crop": {"frames": 3, "ocr": False},
    "tool": {"frames": 3, "ocr": False},
    "team": {"grounding_model": "played:worker", "vision_model": "played:worker", "agent_options": {"clip_seconds": 7}},
    "ground": {"agent_options": {"clip_seconds": 7}},
}
EXCEPTIONS = ("constant", "oracle-crop", "reader")
"""Two that are given gold, and are marked so; and one that asks no model."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold") / "videos"
    folder.mkdir()
    write_frames(folder / "v1.mp4", ((i, picture_of(i)) for i in range(100)), fps=5)
    (folder / "v1.srt").write_text(LINES, encoding="utf-8")
    for clip in ("met_s01e02_seg01_clip_00", "met_s01e02_seg01_clip_01"):
        (folder / clip).mkdir()
        for n in range(1, 19):
            Image.fromarray(picture_of(n)).save(folder / clip / f"{n:05}.jpg")
    return folder


def spy(request: Request) -> str | ModelOutput:
    """Uses every tool there is, once, and then answers."""
    text = text_of(request)
    if request.tools:
        used = sum(message.role == "tool" for message in request.messages)
        if used < len(request.tools):
            tool = request.tools[used].name
            arguments: dict[str, Any] = {"query": "kite"} if tool == "search_text" else {"start_time": 1, "end_time": 3}
            call = ToolCall(f"call-{used}", tool, {"time": 2.0} if tool == "zoom" else arguments)
            return ModelOutput(Message("assistant", ("Look.",), (call,)), "spy", "tool_calls")
    elif "<request_grounding>" in text:
        said = [message.text for message in request.messages if message.role == "assistant"]
        if len(said) < 2:
            return ("<request_grounding>the hill</request_grounding>", "<visual_query>who is it</visual_query>")[
                len(said)
            ]
    return "<think>It is there.</think><answer>B</answer>"


def worker(request: Request) -> str:
    """Names a clip where it is asked for one, and tells what it sees."""
    return "It may be <clip>clip_001</clip> or <clip>met_s01e02_seg01_clip_01</clip>; I see a hill."


@dataclass(frozen=True)
class Sent:
    """Everything of a request that a model gets."""

    who: str
    text: str

    @classmethod
    def of(cls, who: str, request: Request) -> Sent:
        parts: list[Any] = [[tool.name, tool.description, dict(tool.parameters)] for tool in request.tools]
        for message in request.messages:
            for part in message.content:
                shown = [[float(s) for s in part.seconds], part.pixels.shape] if isinstance(part, Frames) else part
                parts.append([message.role, shown])
        parts.append([request.config.temperature, request.config.seed, list(request.config.stop)])
        return cls(who, json.dumps(parts))


async def sent(
    gold: Gold, which: Which, agent: str, videos: Path, folder: Path, seen: list[tuple[str, Request]]
) -> Sequence[Sent]:
    seen.clear()
    data = gold.write(folder / which / "data", which)
    values = {"benchmark": gold.benchmark, "data": (str(data),), "videos": str(videos), "agent": agent,
              "model": "played:spy", **AGENTS.get(agent, {"frames": 5})}  # fmt: skip
    metrics: Any = await evaluate_async(read_eval_settings(values), folder / which / agent)
    assert (metrics["n"], metrics["no_verdict"]) == (1, {}), agent
    return [Sent.of(who, request) for who, request in seen]


def leaks(a: Sequence[Sent], b: Sequence[Sent]) -> list[str]:
    """What is wrong with requests about the same question with two golds."""
    figures = [f"{seconds:.4f}".rstrip("0") for spans in SPANS.values() for seconds in spans]
    found = [f"{one.who} was sent {word!r}" for one in (*a, *b) for word in (MARK, *figures) if word in one.text]
    return found if found or a == b else ["requests depend on the gold"]


# ----------------------------------------------------------------------------------------------------- the guard


def test_every_benchmark_and_every_agent_is_tried() -> None:
    assert {gold.benchmark for gold in ROWS} == {spec.name for spec in list_specs()}
    from longtake.eval.contestant import _OPTIONS, BASELINES

    assert {*AGENTS, *EXCEPTIONS} == {*registry._BUILTIN["agent"], *_OPTIONS, *BASELINES}


@pytest.mark.parametrize("gold", ROWS, ids=lambda gold: gold.benchmark)
async def test_what_is_sent_does_not_depend_on_the_gold(
    gold: Gold, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = play(monkeypatch, spy=spy, worker=worker)
    for agent in AGENTS:
        first = await sent(gold, "a", agent, videos, tmp_path, seen)
        second = await sent(gold, "b", agent, videos, tmp_path, seen)
        assert leaks(first, second) == [], agent
        num_least = {"crop": 4, "tool": 2, "team": 5}.get(agent, 1)
        assert len(first) >= num_least - ("episode_name" in gold.shown or gold.benchmark.startswith("longtvqa")), agent


@pytest.mark.parametrize("gold", ROWS, ids=lambda gold: gold.benchmark)
def test_the_two_golds_are_read_and_differ(gold: Gold, videos: Path, tmp_path: Path) -> None:
    read = [read_benchmark(load_spec(gold.benchmark), [gold.write(tmp_path / w, w)], videos=videos) for w in SPANS]
    (a,), (b,) = (loaded.items for loaded in read)
    assert a.sample.target != b.sample.target
    assert (a.sample.question, a.sample.choices, a.sample.video) == (
        b.sample.question,
        b.sample.choices,
        b.sample.video,
    )
    assert a.sample.video
    if any(name in gold.gold["a"] for name in ("ts", "span", "spans", "timestamp", "qa")):
        assert a.sample.target_spans != b.sample.target_spans
    shown = json.dumps([a.sample.question, a.sample.choices])
    assert MARK not in shown


@pytest.mark.parametrize("gold", [gold for gold in ROWS if gold.benchmark == "tvqa"], ids=lambda gold: gold.benchmark)
async def test_the_two_that_are_given_gold_are_found_out(
    gold: Gold, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = play(monkeypatch, spy=spy)
    first = await sent(gold, "a", "oracle-crop", videos, tmp_path, seen)
    second = await sent(gold, "b", "oracle-crop", videos, tmp_path, seen)
    assert leaks(first, second) != []
    metrics = json.loads((tmp_path / "a" / "oracle-crop" / "metrics.json").read_text())
    assert metrics["settings"]["gold_given"] == "the spans where the answer is"
    seconds = [float(s) for _, request in seen for message in request.messages for part in message.content
               if isinstance(part, Frames) for s in part.seconds]  # fmt: skip
    start, end = SPANS["b"]
    assert seconds
    assert all(start - 0.2 <= second < end for second in seconds)  # by its spans only
    assert not any(letter in text_of(request) for _, request in seen for letter in ("answer is D", MARK))


# ------------------------------------------------------------------------------------- and the guard can be tripped


class Leaky(Direct):
    """Sends whatever gold it can get hold of."""

    def opening(self, sample: Sample, video: Video) -> Sequence[Message]:
        got = [str(sample.target), str([(span.start, span.end) for span in sample.target_spans]), str(sample.metadata)]
        return [*super().opening(sample, video), Message("user", ("\n".join(got),))]


@pytest.mark.parametrize("gold", ROWS, ids=lambda gold: gold.benchmark)
async def test_an_agent_that_would_tell_gets_no_gold(
    gold: Gold, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._BUILTIN["agent"], "leaky", f"{__name__}:Leaky")
    seen = play(monkeypatch, spy=spy)
    honest = [await sent(gold, w, "leaky", videos, tmp_path / "guarded", seen) for w in SPANS]
    assert leaks(*honest) == []
    monkeypatch.setattr(Sample, "without_gold", lambda sample: sample)
    assert leaks(*[await sent(gold, w, "leaky", videos, tmp_path / "open", seen) for w in SPANS]) != []


@pytest.mark.parametrize("name", ["f0.json", "f0.jsonl"])
async def test_data_called_like_the_video_are_no_subtitles(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = play(monkeypatch, spy=spy)
    write_films(tmp_path / "films", 1)
    cue = {"start": 1, "end": 4, "text": f"the answer is {MARK}"}  # would be one
    row = {"video": "f0", "question": "Which tree?", "options": ["oak", "elm"], "answer": "B", **cue}
    data = tmp_path / "films" / name
    data.write_text(json.dumps([row]))
    metrics: Any = await evaluate_async(settings(data, tmp_path / "films", model="played:spy"), tmp_path / "run")
    assert (metrics["no_verdict"], metrics["coverage"]) == ({}, 1.0)
    assert seen
    assert not any(MARK in text_of(request) for _, request in seen)


async def test_reader_and_constant_ask_nobody(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = play(monkeypatch, spy=spy)
    data = ROWS[-2].write(tmp_path, "a")
    values = {"benchmark": "custom", "data": (str(data),), "videos": str(videos)}
    for agent in ("constant", "reader"):
        with pytest.raises(ConfigError, match="asks no model"):
            await evaluate_async(
                read_eval_settings({**values, "agent": agent, "model": "played:spy"}), tmp_path / agent
            )
    assert seen == []
