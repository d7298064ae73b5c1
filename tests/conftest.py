"""Shared by all tests: test videos, importable as ``clips``, and a cache folder of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """The folder of sample videos beside the repository; skips where it is absent."""
    folder = Path(__file__).resolve().parents[1] / "../shared/videos"
    if not folder.is_dir():
        pytest.skip("the sample videos are not here")
    return folder.resolve()
