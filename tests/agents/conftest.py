"""A short clock video with subtitles, which the agent tests ask about."""

from __future__ import annotations

from pathlib import Path

import pytest

from clips import write_clock

SUBTITLES = """1
00:00:02,000 --> 00:00:04,000
Ada: The ferry leaves at half past six.

2
00:00:11,000 --> 00:00:13,500
Ben: I lost my green umbrella at the market.

3
00:00:14,000 --> 00:00:16,000
Ada: Did you lose your umbrella?
"""


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 seconds at 10 frames a second; frame n shows n; subtitles beside it."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_clock(path, fps=10, num_frames=200)
    path.with_suffix(".srt").write_text(SUBTITLES, encoding="utf-8")
    return path
