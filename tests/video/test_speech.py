"""Speech: the sound's way to a recogniser and back. Whisper's weights are not here, so a recogniser stands in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clips import write_clock, write_tone
from longtake.errors import MissingExtraError, VideoDecodeError, VideoError
from longtake.video import speech
from longtake.video.decode import Video
from longtake.video.speech import RATE, Samples, Spoken, Whisper, sound, transcribe


class Listener:
    """A `Recogniser` that says where it hears a tone."""

    name = "listener"

    def __init__(self) -> None:
        self.num_pieces = 0

    def recognise(self, samples: Samples) -> Iterator[Spoken]:
        self.num_pieces += 1
        loud = np.flatnonzero(np.abs(samples) > 0.05)
        if len(loud):
            yield Spoken(float(loud[0]) / RATE, float(loud[-1]) / RATE, "  a  tone ")


def test_what_is_heard_is_on_the_video_clock(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_clock(path, num_frames=100, audio_start=1.5, audio_seconds=1.0)
    video = Video.open(path)
    (cue,) = transcribe(video, Listener())
    assert cue.text == "a tone"
    assert cue.source == "speech"
    assert cue.span.start == pytest.approx(1.5, abs=0.1)
    assert cue.span.end == pytest.approx(2.5, abs=0.1)


def test_a_video_without_sound_has_no_cues(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_clock(path, num_frames=10)
    listener = Listener()
    assert transcribe(Video.open(path), listener) == ()
    assert listener.num_pieces == 0


def test_long_sound_comes_in_pieces_that_join_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "PIECE_SECONDS", 3)
    monkeypatch.setattr(speech, "_SEAM_SECONDS", 1)
    path = tmp_path / "a.mp4"
    write_tone(path, seconds=8.0)
    pieces = list(sound(path))
    assert len(pieces) >= 3
    assert pieces[0][1].dtype == np.float32
    for (start, samples), (following, _) in pairwise(pieces):
        assert start + len(samples) / RATE == pytest.approx(following)
        assert 2 <= len(samples) / RATE <= 4
    assert sum(len(samples) for _, samples in pieces) / RATE == pytest.approx(8.0, abs=0.1)


def test_pieces_are_cut_where_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, 20 * RATE).astype(np.float32)
    noise[14 * RATE : 14 * RATE + RATE // 2] *= 0.01
    monkeypatch.setattr(speech, "PIECE_SECONDS", 20)
    monkeypatch.setattr(speech, "_decoded", lambda path: iter([(0.0, noise), (20.0, noise)]))
    (_, first), *_ = sound(Path("any"))
    assert 14 * RATE <= len(first) <= 14.5 * RATE


def test_an_interrupted_pass_keeps_the_pieces_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "PIECE_SECONDS", 2)
    monkeypatch.setattr(speech, "_SEAM_SECONDS", 1)
    path = tmp_path / "v.mp4"
    write_clock(path, num_frames=200, audio_start=0.0, audio_seconds=8.0)
    video, listener = Video.open(path), Listener()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcribe(video, listener, stop)
    assert listener.num_pieces == 1
    again, seen = Listener(), list[tuple[int, int]]()
    cues = transcribe(video, again, lambda done, total: seen.append((done, total)))
    assert len(cues) == again.num_pieces + 1
    assert seen[-1] == (8, 8)
    assert [cue.span for cue in cues] == sorted(cue.span for cue in cues)


def test_a_check_ends_a_pass_at_the_next_sentence(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_clock(path, num_frames=50, audio_start=0.0, audio_seconds=2.0)
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise VideoError("stopped")

    with pytest.raises(VideoError, match="stopped"):
        transcribe(Video.open(path), Listener(), check=check)
    assert len(calls) == 2


def test_sound_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"no sound")
    with pytest.raises(VideoDecodeError, match="sound of"):
        list(sound(path))


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtake\[asr\]'"):
        Whisper()


def fake_whisper(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    """Puts ``model`` in the place of ``faster_whisper.WhisperModel``."""
    module = ModuleType("faster_whisper")
    module.WhisperModel = model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    monkeypatch.setattr(speech, "find_spec", lambda name: SimpleNamespace())


def test_weights_that_cannot_be_had_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> None:
        raise OSError("no route to the hub")

    fake_whisper(monkeypatch, unreachable)
    with pytest.raises(VideoError, match=r"'small' cannot be loaded: no route to the hub; .*give their folder"):
        list(Whisper().recognise(np.zeros(RATE, np.float32)))


def test_segments_of_whisper_become_cues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        def __init__(self, name: str) -> None:
            assert name == "tiny"

        def transcribe(self, samples: Samples, vad_filter: bool) -> tuple[Iterator[SimpleNamespace], None]:
            said = [(0.5, 1.0, " Hello."), (1.0, 99.0, " World. "), (1.2, 1.3, " ")]
            return iter(SimpleNamespace(start=a, end=b, text=text) for a, b, text in said), None

    fake_whisper(monkeypatch, Model)
    path = tmp_path / "v.mp4"
    write_clock(path, num_frames=50, audio_start=0.0, audio_seconds=2.0)
    cues = transcribe(Video.open(path), Whisper("tiny"))
    duration = Video.open(path).info.duration_seconds
    assert [cue.text for cue in cues] == ["Hello.", "World."]
    assert cues[0].span.start == pytest.approx(0.5, abs=0.05)
    assert cues[1].span.end == duration
