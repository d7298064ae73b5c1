"""Frames that wait as JPEG files: what an endpoint is sent is the same, byte for byte, and no pixels are held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clips import picture_of, write_frames
from fake_openai import FakeOpenAI, Say
from longtake.agents.crop import Crop
from longtake.agents.light import light
from longtake.agents.loop import Agent, run
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.models.scripted import ScriptedModel
from longtake.types import Frames, Sample
from longtake.video.decode import Video

CROPS = '{"name": "crop_video", "arguments": {"start_time": 1.0, "end_time": 3.0}}'


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("light") / "film.mp4"
    write_frames(path, ((i, picture_of(i)) for i in range(25)), fps=5)
    return path


async def sent(agent: Agent, film: Path, fake: FakeOpenAI, model: OpenAIModel) -> list[Any]:
    fake.requests.clear()
    fake.will(Say(f"<tool_call>{CROPS}</tool_call>"), Say("<answer>a boat</answer>"))
    trace = await run(agent, model, Sample("q", str(film), "What is it?"))
    assert (trace.stop_reason, len(trace.turns)) == ("answered", 2)
    return [*fake.requests]


@pytest.mark.parametrize("options", [{}, {"jpeg_quality": 60, "max_side": 40}], ids=["as it is", "smaller"])
async def test_the_same_is_sent(options: dict[str, Any], film: Path) -> None:
    agent = Crop(num_frames=4, ocr=False)
    with FakeOpenAI() as fake:
        model = OpenAIModel("tiny", base_url=fake.base_url, options=EndpointOptions(tool_style="hermes", **options))
        bare = await sent(agent, film, fake, model)
        assert await sent(light(agent, model), film, fake, model) == bare
    assert str(bare[1]).count("data:image/jpeg") > 4  # the overview, and what was cropped


async def test_no_pixels_are_held(film: Path) -> None:
    agent = light(Crop(num_frames=4, ocr=False), OpenAIModel("tiny", base_url="http://127.0.0.1:1/v1"))
    video = Video.open(str(film))
    opening = agent.opening(Sample("q", str(film), "What is it?"), video)
    frames = [part for message in opening for part in message.content if isinstance(part, Frames)]
    assert frames
    assert all(part.data is None and part.jpegs for part in frames)


def test_a_model_that_is_not_sent_jpegs_sees_pixels() -> None:
    agent = Crop(num_frames=4, ocr=False)
    assert light(agent, ScriptedModel([])) is agent
