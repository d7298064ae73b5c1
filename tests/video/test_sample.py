from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.errors import ConfigError
from longtake.media import TimeSpan
from longtake.video.sample import PATCH, by_fps, fit_size, pixels_per_frame, uniform

times = st.floats(0, 1e5, allow_nan=False)
lengths = st.floats(1e-3, 1e5, allow_nan=False)
sides = st.integers(1, 8000)


@given(times, lengths, st.integers(1, 2000))
def test_uniform_takes_the_middle_of_each_equal_part(start: float, length: float, num_frames: int) -> None:
    span = TimeSpan(start, start + length)
    got = uniform(span, num_frames)
    assert len(got) == num_frames
    assert got == sorted(got)
    assert got[0] - span.start == pytest.approx(span.end - got[-1], rel=1e-6, abs=1e-9)
    assert got[0] == pytest.approx(span.start + span.duration / num_frames / 2)


@given(times, lengths, st.floats(0.01, 60), st.integers(1, 500))
def test_by_fps_stays_in_the_span_and_the_budget(start: float, length: float, fps: float, max_frames: int) -> None:
    span = TimeSpan(start, start + length)
    got = by_fps(span, fps, max_frames)
    assert 1 <= len(got) <= max_frames
    assert all(t in span for t in got)
    assert got == sorted(got)
    if len(got) < max_frames:
        assert got[0] == span.start
        assert span.end - got[-1] <= 1 / fps + 1e-6


@pytest.mark.parametrize(
    ("start", "end", "fps", "count"),
    [(0, 10, 1, 10), (0, 0.3, 10, 3), (12.3, 22.3, 2, 20), (5, 5.1, 1, 1), (0, 2.5, 1, 3)],
)
def test_by_fps_counts_frames_without_rounding_errors(start: float, end: float, fps: float, count: int) -> None:
    assert len(by_fps(TimeSpan(start, end), fps, 1000)) == count


@given(sides, sides, st.integers(0, 2_000_000), st.integers(PATCH * PATCH, 4_000_000))
def test_fit_size_keeps_the_budget(width: int, height: int, min_pixels: int, max_pixels: int) -> None:
    min_pixels = min(min_pixels, max_pixels)
    w, h = fit_size(width, height, min_pixels, max_pixels)
    assert w % PATCH == h % PATCH == 0
    assert PATCH * PATCH <= w * h <= max_pixels


@given(st.integers(100, 4000), st.floats(0.4, 2.5), st.integers(200_000, 1_000_000))
def test_fit_size_keeps_the_aspect_of_ordinary_pictures(width: int, ratio: float, max_pixels: int) -> None:
    height = max(100, round(width * ratio))
    w, h = fit_size(width, height, 100_000, max_pixels)
    # a side is off by less than one patch
    scale = (w * h / (width * height)) ** 0.5
    assert abs(w - width * scale) <= 1.5 * PATCH
    assert abs(h - height * scale) <= 1.5 * PATCH
    assert w * h >= 100_000


@pytest.mark.parametrize(
    ("shape", "min_pixels", "max_pixels", "want"),
    [
        ((1280, 720), 0, None, (1288, 728)),
        ((1280, 720), 4 * 784, 128 * 784, (420, 224)),
        ((1920, 1080), 0, 768 * 784, (1008, 560)),
        ((64, 48), 100 * 784, None, (336, 252)),
        ((5, 5), 0, None, (28, 28)),
    ],
)
def test_fit_size_matches_the_rule_of_qwen(
    shape: tuple[int, int], min_pixels: int, max_pixels: int | None, want: tuple[int, int]
) -> None:
    assert fit_size(*shape, min_pixels, max_pixels) == want


def test_a_total_budget_is_shared_by_the_frames() -> None:
    assert pixels_per_frame(100, 10_000_000, 500_000) == 100_000
    assert pixels_per_frame(4, 10_000_000, 500_000) == 500_000
    assert pixels_per_frame(1000, 10, 500) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: uniform(TimeSpan(0, 1), 0),
        lambda: by_fps(TimeSpan(0, 1), 0, 5),
        lambda: by_fps(TimeSpan(0, 1), float("nan"), 5),
        lambda: by_fps(TimeSpan(0, 1), 1, 0),
        lambda: fit_size(0, 5, 0, None),
        lambda: fit_size(5, 5, 100, 50),
        lambda: pixels_per_frame(0, 1, 1),
    ],
)
def test_impossible_requests_are_refused(call: object) -> None:
    with pytest.raises(ConfigError, match="got"):
        call()  # type: ignore[operator]
