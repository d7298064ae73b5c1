"""Shared by all tests: test videos, importable as ``clips``, and a cache folder of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from independent import IndependentServer

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    # the AV1 encoder writes to the terminal otherwise
    monkeypatch.setenv("SVT_LOG", "-2")


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """The folder of sample videos beside the repository; skips where it is absent."""
    folder = Path(__file__).resolve().parents[1] / "../shared/videos"
    if not folder.is_dir():
        pytest.skip("the sample videos are not here")
    return folder.resolve()


@pytest.fixture(scope="session")
def independent_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndependentServer]:
    """``transformers serve`` with a tiny model; skips where its packages are absent."""
    from independent import missing, serve

    if absent := missing():
        pytest.skip(f"the independent server needs {', '.join(absent)}")
    with serve(tmp_path_factory.mktemp("independent")) as server:
        yield server
