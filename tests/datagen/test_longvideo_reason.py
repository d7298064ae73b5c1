"""The steps of the LongVideo-Reason recipe, each by itself and all of them on a generated video with the reader."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from fake_context import FakeContext, record, run_chain, run_step, source_record
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import clips
from longtake.datagen.recipes.longvideo_reason import Settings, build
from longtake.datagen.step import Record
from longtake.datagen.steps.caption import caption, caption_lines, merge
from longtake.datagen.steps.reason import Planned, Reply, plan, question_prompt, reason
from longtake.datagen.steps.split import even_clips, scene_clips, split
from longtake.datagen.values import Caption, CaptionedVideo, Clip, Question, Source, as_value
from longtake.errors import ConfigError, FormatError, RejectedError, VideoDecodeError
from longtake.models.reader import Reader
from longtake.models.scripted import ScriptedModel
from longtake.types import Frames, TimeSpan
from longtake.video.decode import Video


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clock video of 23.4 s with a subtitle every two seconds."""
    path = tmp_path_factory.mktemp("videos") / "my.film.mp4"
    clips.write_clock(path, fps=10, num_frames=234, gop=20)
    names = "anna bert carl dora emil fritz gerda hans ida jan karl".split()
    cues = [
        f"{n + 1}\n00:00:{2 * n:02d},000 --> 00:00:{2 * n + 1:02d},500\nMy name is {name}.\n"
        for n, name in enumerate(names)
    ]
    (path.parent / "my.film.srt").write_text("\n".join(cues), encoding="utf-8")
    return path


def spans(records: list[Record]) -> list[tuple[float, float]]:
    return [(clip.span.start, clip.span.end) for clip in (one.read(Clip) for one in records)]


# -------------------------------------------------------------------------------------------------------- split


def test_clips_are_spans_of_the_source(film: Path, tmp_path: Path) -> None:
    made = run_step(split(), [source_record(film)], FakeContext(tmp_path))
    assert spans(made) == [(0, 10), (10, 20), (20, pytest.approx(23.4))]
    assert [one.id for one in made] == ["my.film/0000", "my.film/0001", "my.film/0002"]
    assert list(tmp_path.iterdir()) == []


@given(st.floats(0.05, 3_000), st.floats(1, 600))
def test_even_clips_cover_the_video(duration: float, clip_seconds: float) -> None:
    made = even_clips(duration, clip_seconds)
    assert made[0].start == 0
    assert made[-1].end == duration
    assert all(a.end == b.start for a, b in pairwise(made))
    assert all(clip.duration == pytest.approx(clip_seconds) for clip in made[:-1])
    assert made[-1].duration < clip_seconds + 1
    assert len(made) == 1 or made[-1].duration >= 1 - 1e-6


def test_long_scenes_are_divided_evenly() -> None:
    made = scene_clips([TimeSpan(0, 4), TimeSpan(4, 29), TimeSpan(29, 39)], 10)
    assert [(round(c.start, 3), round(c.end, 3)) for c in made] == [
        (0, 4),
        (4, 12.333),
        (12.333, 20.667),
        (20.667, 29),
        (29, 39),
    ]


def test_scenes_are_where_the_picture_changes(tmp_path: Path) -> None:
    colours = [(200, 20, 20)] * 30 + [(20, 200, 20)] * 130
    clips.write_frames(tmp_path / "v.mp4", enumerate(clips.solid(colour) for colour in colours), fps=10)
    made = run_step(split(scenes=True), [source_record(tmp_path / "v.mp4")], FakeContext(tmp_path))
    assert spans(made) == [(0, 3), (3, 9.5), (9.5, 16)]


def test_files_are_written_if_asked_for(film: Path, tmp_path: Path) -> None:
    ctx = FakeContext(tmp_path / "run" / "files", film.parent)
    made = [one.read(Clip) for one in run_step(split(materialize=True), [source_record(film)], ctx)]
    assert [clip.file for clip in made] == [
        f"files/clips/my.film/my.film_{start}-{end}.mp4"
        for start, end in [("00000.000", "00010.000"), ("00010.000", "00020.000"), ("00020.000", "00023.400")]
    ]
    for clip in made:
        cut = Video.open(tmp_path / "run" / str(clip.file))
        assert cut.info.duration_seconds == pytest.approx(clip.span.duration, abs=0.05)
        assert clips.read_code(cut.frames_at([0.05]).pixels[0]) == round(clip.span.start * 10)


@pytest.mark.parametrize("seconds", [0.0, 0.5, -1.0, float("nan"), float("inf")])
def test_clips_of_no_length_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="at least 1 s"):
        split(clip_seconds=seconds)


# ------------------------------------------------------------------------------------------------------ caption


def clip_record(source: Record, start: float, end: float) -> Record:
    return record("split", as_value(Clip(TimeSpan(start, end))), id=f"film/{start}", parents=[source])


def test_the_captioner_sees_frames_times_and_words(film: Path, tmp_path: Path) -> None:
    model = ScriptedModel(["<think>hm</think><caption>\nA clock\nruns.</caption> "])
    clip = clip_record(source_record(film), 10.0, 20.0)
    (made,) = run_step(caption(model, fps=1.0), [clip], FakeContext(tmp_path, film.parent))
    assert made.read(Caption) == Caption(10.0, 20.0, "A clock runs.")
    (message,) = model.requests[0].messages
    assert message.text.startswith("Task: caption\nThese are 10 frames")
    assert "| 10.0 - 11.5 s] subtitles: My name is fritz." in message.text
    assert "karl" not in message.text
    (frames,) = [part for part in message.content if isinstance(part, Frames)]
    assert frames.seconds == pytest.approx([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    assert frames.data is None, "what waits for an endpoint holds no pixels"
    assert frames.width * frames.height <= 360 * 420


def test_at_most_max_frames_are_sent(film: Path, tmp_path: Path) -> None:
    model = ScriptedModel(["<caption>A clock.</caption>"])
    run_step(
        caption(model, max_frames=4), [clip_record(source_record(film), 0.0, 10.0)], FakeContext(tmp_path, film.parent)
    )
    assert model.requests[0].messages[0].num_frames == 4


def test_a_clip_without_frames_is_a_failure_of_the_video(tmp_path: Path) -> None:
    clips.write_clock(tmp_path / "v.mp4", fps=10, num_frames=300, gop=50)
    source = source_record(tmp_path / "v.mp4")
    data = bytearray((tmp_path / "v.mp4").read_bytes())
    start = data.index(b"mdat")
    for at in range(start + 8 + (len(data) - start) // 2, len(data)):
        data[at] = 0 if data[at : at + 4] != b"moov" else data[at]
        if bytes(data[at : at + 4]) == b"moov":
            break
    (tmp_path / "v.mp4").write_bytes(data)
    with pytest.raises(VideoDecodeError):
        run_step(caption(ScriptedModel([])), [clip_record(source, 25.0, 30.0)], FakeContext(tmp_path))


def test_a_refused_caption_drops_the_clip(film: Path, tmp_path: Path) -> None:
    model = ScriptedModel(["I'm sorry, but I can't describe this video."])
    with pytest.raises(RejectedError):
        run_step(caption(model), [clip_record(source_record(film), 0.0, 10.0)], FakeContext(tmp_path, film.parent))


@pytest.mark.parametrize(
    "said",
    [
        "Anteeksi, en voi kuvailla tätä videota.",
        "A man walks.",
        "<caption></caption>",
        "<caption>One.</caption><caption>Another.</caption>",
        "<caption>N/A</caption>",
        "<caption>A man",
    ],
)
def test_what_is_not_between_the_tags_is_no_caption(said: str, film: Path, tmp_path: Path) -> None:
    clip, ctx = clip_record(source_record(film), 0.0, 10.0), FakeContext(tmp_path, film.parent)
    with pytest.raises(FormatError, match="<caption>"):
        run_step(caption(ScriptedModel([said, said])), [clip], ctx)
    model = ScriptedModel([said, "<caption>A clock runs.</caption>"])
    (made,) = run_step(caption(model), [clip], ctx)
    assert made.read(Caption).caption == "A clock runs."
    (message,) = model.requests[1].messages
    assert message.num_frames > 0
    assert said in message.text


@pytest.mark.parametrize("settings", [{"fps": 0.0}, {"fps": float("nan")}, {"max_frames": 0}, {"max_pixels": 10}])
def test_a_caption_needs_a_picture(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="at least 1 frame"):
        caption(ScriptedModel([]), **settings)  # type: ignore[arg-type]


def test_what_decides_a_caption_is_in_its_hash() -> None:
    model = ScriptedModel([])
    hashes = {
        step.hash
        for step in (
            caption(model),
            caption(ScriptedModel([], name="other")),
            caption(model, fps=1.0),
            caption(model, ocr=True),
            caption(model, max_pixels=1000),
        )
    }
    assert len(hashes) == 5


# -------------------------------------------------------------------------------------------------------- merge


def captioned(*starts: float, duration: float = 50.0) -> list[Record]:
    source = record("source", as_value(Source("film", "film.mp4", "f" * 32, 1, duration, 25.0, 64, 48)))
    return [
        record("caption", as_value(Caption(at, at + 10, f"at {at}")), id=f"film/{at}", parents=[source])
        for at in starts
    ]


def test_captions_are_put_in_order(tmp_path: Path) -> None:
    (made,) = run_step(merge(), captioned(20, 0, 40, 10), FakeContext(tmp_path))
    video = made.read(CaptionedVideo)
    assert (video.id, [one.start_time for one in video.captions]) == ("film", [0, 10, 20, 40])
    assert caption_lines(video.captions[:1]) == "From 0.0 to 10.0 s: at 0"


def test_a_video_with_too_few_captions_is_dropped(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"30\.0 of 50\.0 s"):
        run_step(merge(), captioned(0, 10, 20), FakeContext(tmp_path))
    assert run_step(merge(min_captioned_share=0.6), captioned(0, 10, 20), FakeContext(tmp_path))


# ----------------------------------------------------------------------------------------------- plan and reason


def merged(tmp_path: Path, name: str = "film") -> Record:
    source = record("source", as_value(Source(name, f"{name}.mp4", "f" * 32, 1, 20.0, 25.0, 64, 48)))
    value = CaptionedVideo(name, (Caption(0, 10, "A lamp\nbreaks."), Caption(10, 20, "It is dark.")))
    return record("merge", as_value(value), parents=[source])


def test_every_type_is_asked_for_as_often_as_wanted(tmp_path: Path) -> None:
    step = plan(question_types=("goal", "plot"), questions_per_type=2)
    made = [one.read(Planned) for one in run_step(step, [merged(tmp_path)], FakeContext(tmp_path))]
    assert made == [Planned(kind, number, 2) for kind in ("goal", "plot") for number in (1, 2)]


@pytest.mark.parametrize("wrong", [{"question_types": ()}, {"questions_per_type": 0}, {"question_types": ("x",)}])
def test_a_plan_without_questions_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="temporal, goal, plot, spatial"):
        plan(**wrong)  # type: ignore[arg-type]


def test_the_reasoner_gets_the_captions_with_their_times(tmp_path: Path) -> None:
    model = ScriptedModel(["<think>long</think>QUESTION: x"])
    planned = record("plan", as_value(Planned("spatial", 2, 2)), parents=[merged(tmp_path)])
    (made,) = run_step(reason(model), [planned], FakeContext(tmp_path))
    assert made.read(Reply) == Reply("QUESTION: x")
    request = model.requests[0]
    assert (request.config.temperature, request.config.max_tokens) == (0.6, 32768)
    prompt = request.messages[0].text
    assert prompt.startswith("Task: question\nType: spatial\n")
    assert "From 0.0 to 10.0 s: A lamp breaks.\nFrom 10.0 to 20.0 s: It is dark." in prompt
    assert "lasts 20.0 s" in prompt
    assert "This is question 2 of 2 of its type on this video. Let it turn on what happens from 10 to 20 s;" in prompt


def test_the_right_letters_asked_for_are_balanced(tmp_path: Path) -> None:
    found = Counter[str]()
    for n in range(400):
        planned = record("plan", as_value(Planned("goal", 1)), parents=[merged(tmp_path, f"v{n}")])
        found[question_prompt(planned).partition("stands at the letter ")[2][0]] += 1
    assert sorted(found) == ["A", "B", "C", "D"]
    assert min(found.values()) > 70


# -------------------------------------------------------------------------------------------------- the whole chain


@pytest.mark.parametrize("reformatted", [False, True])
def test_the_reader_makes_temporal_questions_of_subtitles(film: Path, tmp_path: Path, reformatted: bool) -> None:
    settings = Settings(clip_seconds=4.0, reformat=reformatted, questions_per_type=2, caption_fps=0.5)
    steps = build(settings, lambda role: Reader())
    names = ["split", "caption", "merge", "plan", "reason", "parse"]
    assert [step.name for step in steps] == names + ["reformat"] * reformatted
    ctx = FakeContext(tmp_path, film.parent)
    made, reasons = run_chain(steps, [source_record(film)], ctx)
    assert [one.id for one in made] == ["my.film/0000", "my.film/0001"]
    assert len(reasons) == 6
    assert all("temporal questions only" in reason for reason in reasons)
    names = "anna bert carl dora emil fritz gerda hans ida jan karl".split()
    for question in (one.read(Question) for one in made):
        asked = question.question.partition("My name is ")[2].partition(".")[0]
        right = question.options["ABCD".index(question.answer)]
        assert right == f"'My name is {names[names.index(asked) + 1]}.'"
        assert question.reasoning
        assert ("Going through the video" in question.reasoning) == reformatted
        at = 2.0 * names.index(asked)
        assert any(at in span for span in question.spans)
    again, _ = run_chain(steps, [source_record(film)], ctx)
    assert [one.digest for one in again] == [one.digest for one in made]


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValidationError, match="clip_second"):
        Settings(clip_second=10)  # type: ignore[call-arg]
