"""A URL as the video: fetched once by yt-dlp from a server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clips import write_clock
from longtake.errors import VideoError
from longtake.video.decode import Video
from longtake.video.download import download, is_url

yt_dlp = pytest.importorskip("yt_dlp")
# yt-dlp leaves the connection of a page that it gives up on to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Quiet(SimpleHTTPRequestHandler):
    num_requests = 0

    def log_message(self, format: str, *args: object) -> None:
        Quiet.num_requests += 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serves a folder with film.mp4 and page.html."""
    write_clock(tmp_path / "film.mp4", fps=10, num_frames=30)
    (tmp_path / "page.html").write_text("<html><body>no video here</body></html>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_video_is_fetched_once(site: str) -> None:
    path = download(f"{site}/film.mp4")
    assert Video.open(path).info.num_frames == 30
    before = Quiet.num_requests
    assert download(f"{site}/film.mp4") == path
    assert Quiet.num_requests == before


@pytest.mark.parametrize("page", ["none.mp4", "page.html"])
def test_what_holds_no_video_is_one_clear_line(site: str, page: str) -> None:
    with pytest.raises(VideoError, match=rf"cannot fetch {site}/{page}") as raised:
        download(f"{site}/{page}")
    assert "\n" not in str(raised.value)


def test_a_fetch_broken_off_is_done_again(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def part_of(self: Any, url: str) -> None:
        Path(self.params["outtmpl"]["default"]).parent.mkdir(parents=True)
        for name in ("film.f140.m4a", "film.temp.mp4", "film.mp4.part"):
            Path(self.params["outtmpl"]["default"]).with_name(name).write_bytes(b"part")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(yt_dlp.YoutubeDL, "extract_info", part_of)
        with pytest.raises(KeyboardInterrupt):
            download(f"{site}/film.mp4")
    path = download(f"{site}/film.mp4")
    assert Video.open(path).info.num_frames == 30
    assert sorted(path.parent.iterdir()) == [path]
    assert [kept.name for kept in path.parent.parent.iterdir() if kept.name.startswith(".")] == []


def test_urls() -> None:
    assert is_url("https://example.org/v")
    assert not is_url("film.mp4")
