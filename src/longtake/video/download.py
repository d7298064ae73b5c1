"""Videos on the web: a URL becomes a file in the cache, by yt-dlp, with its subtitles beside it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, StoreError, VideoError
from ..store import cache_dir, digest

__all__ = ["download", "is_url"]

_OPTIONS: dict[str, Any] = {
    "format": "b[height<=720]/bv*[height<=720]+ba/b/bv*",
    "noplaylist": True,
    "quiet": True,
    "no_warnings": True,
    "noprogress": True,
    "writesubtitles": True,
    "writeautomaticsub": True,
    "subtitleslangs": ["en", "en-orig"],
    "subtitlesformat": "vtt",
    "socket_timeout": 30,
}


def is_url(video: str) -> bool:
    return video.lower().startswith(("http://", "https://"))


def download(url: str) -> Path:
    """The file behind ``url``, fetched once; at most 720 lines high, since no agent looks at more.

    Raises `MissingExtraError` without yt-dlp, `VideoError` when nothing could be fetched and `StoreError` when it
    cannot be kept."""
    try:
        import yt_dlp
    except ImportError as e:
        raise MissingExtraError(
            f"{url} is a URL and fetching it needs yt-dlp: pip install 'longtake[web]', or download the file yourself"
        ) from e
    folder = cache_dir("downloads") / digest(url)[:16]
    if done := _video_in(folder):
        return done
    try:
        # fetched beside its place and moved when it is whole: what was broken off is never taken for a video
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            fetched = Path(temporary, "fetched")
            options = _OPTIONS | {"outtmpl": str(fetched / "%(title).80B.%(ext)s"), "logger": _Silent()}
            with yt_dlp.YoutubeDL(options) as ydl:  # type: ignore[reportUnknownMemberType]
                ydl.extract_info(url)  # type: ignore[reportUnknownMemberType]
            if _video_in(fetched) and not _video_in(folder):
                shutil.rmtree(folder, ignore_errors=True)
                fetched.rename(folder)
    except yt_dlp.utils.YoutubeDLError as e:  # type: ignore[reportUnknownMemberType]
        raise VideoError(f"cannot fetch {url}: {e}; check the URL, or download the file yourself") from e
    except OSError as e:
        raise StoreError(f"cannot keep {url} in {folder}: {e}; set LONGTAKE_CACHE to a folder you can write") from e
    if done := _video_in(folder):
        return done
    raise VideoError(f"{url} holds no video file; give the page of one video")


class _Silent:
    """yt-dlp prints errors besides raising them; raising is enough."""

    def debug(self, msg: str) -> None: ...
    def warning(self, msg: str) -> None: ...
    def error(self, msg: str) -> None: ...


def _video_in(folder: Path) -> Path | None:
    """The video in ``folder``: its largest file, since subtitles or a sound track may lie beside it."""
    files = [path for path in folder.glob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size, default=None)
