"""Videos on the web: a URL becomes a file in the cache, by yt-dlp, with its subtitles beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, VideoError
from ..store import cache_dir, digest

__all__ = ["download", "is_url"]


def is_url(video: str) -> bool:
    return video.lower().startswith(("http://", "https://"))


def download(url: str) -> Path:
    """The file behind ``url``, fetched once; at most 720 lines high, since no agent looks at more.

    Raises `MissingExtraError` without yt-dlp and `VideoError` when nothing could be fetched."""
    try:
        import yt_dlp
    except ImportError as e:
        raise MissingExtraError(
            f"{url} is a URL and fetching it needs yt-dlp: pip install 'longtake[web]', or download the file yourself"
        ) from e
    folder = cache_dir("downloads", digest(url)[:16])
    if done := _video_in(folder):
        return done
    options: dict[str, Any] = {
        "format": "b[height<=720]/bv*[height<=720]+ba/b/bv*",
        "outtmpl": str(folder / "%(title).80B.%(ext)s"),
        "noplaylist": True,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "writesubtitles": True,
        "writeautomaticsub": True,
        "subtitleslangs": ["en", "en-orig"],
        "subtitlesformat": "vtt",
        "socket_timeout": 30,
        "logger": _Silent(),
    }
    try:
        with yt_dlp.YoutubeDL(options) as ydl:  # type: ignore[reportUnknownMemberType]
            ydl.extract_info(url)  # type: ignore[reportUnknownMemberType]
    except yt_dlp.utils.YoutubeDLError as e:  # type: ignore[reportUnknownMemberType]
        raise VideoError(f"cannot fetch {url}: {e}; check the URL, or download the file yourself") from e
    if done := _video_in(folder):
        return done
    raise VideoError(f"{url} holds no video file; give the page of one video")


class _Silent:
    """yt-dlp prints errors besides raising them; raising is enough."""

    def debug(self, msg: str) -> None: ...
    def warning(self, msg: str) -> None: ...
    def error(self, msg: str) -> None: ...


def _video_in(folder: Path) -> Path | None:
    """The finished video in ``folder``; parts and subtitles are not."""
    files = (p for p in sorted(folder.iterdir()) if p.suffix not in (".part", ".ytdl", ".vtt", ".srt", ".json"))
    return next((p for p in files if p.is_file() and not p.name.endswith(".part")), None)
