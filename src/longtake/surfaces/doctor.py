"""`longtake doctor`: what is here, what is missing, and what to do about it. Sends one small request at most."""

# PyAV's Packet is generic without a default, so what encoding returns has no full type.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LongtakeError
from ..store import cache_dir, write_atomic

if TYPE_CHECKING:
    from av.video.stream import VideoStream

__all__ = ["Check", "check_all"]


@dataclass(frozen=True, slots=True)
class Check:
    """``ok`` is None for something optional that is absent."""

    what: str
    ok: bool | None
    found: str
    next_step: str = ""


def check_all() -> list[Check]:
    """Every check, in the order a run needs them."""
    checks: list[Callable[[], Check]] = [
        _python,
        _decoder,
        _decode_sample,
        _search,
        _cache,
        _ocr,
        _asr,
        _web,
        _maths,
        _hub,
        _lmms,
        _key,
        _gpu,
    ]
    return [check() for check in checks]


def _python() -> Check:
    version = platform.python_version()
    return Check(
        "Python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "use 3.11 or later"
    )


def _decoder() -> Check:
    import av

    return Check("decoder", True, f"PyAV {av.__version__} with FFmpeg {av.ffmpeg_version_info}")


def _decode_sample() -> Check:
    """Encodes half a second of video and takes a frame out of it."""
    import av
    import numpy as np

    from ..video.decode import Video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mp4"
        with av.open(str(path), "w") as container:
            stream: VideoStream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for shade in range(0, 250, 50):
                picture = np.full((48, 64, 3), shade, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        try:
            frames = Video.open(path).frames_at([0.25])
        except LongtakeError as e:
            return Check("decoding a sample", False, str(e), "reinstall av: pip install --force-reinstall av")
    shade = float(frames.pixels.mean())
    return Check("decoding a sample", abs(shade - 100) < 15, f"the frame at 0.25 s, shade {shade:.0f} of 100")


def _search() -> Check:
    try:
        sqlite3.connect(":memory:").execute("create virtual table t using fts5(text)")
    except sqlite3.OperationalError as e:
        return Check(
            "text search", False, f"SQLite {sqlite3.sqlite_version}: {e}", "use a Python whose SQLite has FTS5"
        )
    return Check("text search", True, f"SQLite {sqlite3.sqlite_version} with FTS5")


def _cache() -> Check:
    try:
        folder = cache_dir()
        write_atomic(folder / "doctor", b"ok")
    except LongtakeError as e:
        return Check("cache folder", False, str(e), "set LONGTAKE_CACHE to a folder you can write")
    return Check("cache folder", True, str(folder))


def _extra(what: str, module: str, extra: str) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(what, None, "not installed", f"pip install 'longtake[{extra}]'")
    return Check(what, True, f"{module} is installed")


def _ocr() -> Check:
    return _extra("text in the picture", "rapidocr", "ocr")


def _asr() -> Check:
    return _extra("speech", "faster_whisper", "asr")


def _web() -> Check:
    return _extra("videos from URLs", "yt_dlp", "web")


def _maths() -> Check:
    return _extra("formulas in answers", "math_verify", "eval")


def _hub() -> Check:
    return _extra("benchmarks from the hub", "huggingface_hub", "eval")


def _lmms() -> Check:
    if importlib.util.find_spec("lmms_eval") is None:
        how = "pip install 'longtake[lmms-eval]' && pip install --no-deps lmms-eval==0.7.3"
        return Check("lmms-eval", None, "not installed", how)
    return Check("lmms-eval", True, "lmms_eval is installed")


def _key() -> Check:
    """Asks the configured endpoint for its models, if one is configured."""
    from ..models.openai import OpenAIModel

    url = os.environ.get("OPENAI_BASE_URL")
    if not url and not os.environ.get("OPENAI_API_KEY"):
        return Check("model endpoint", None, "none configured", "set OPENAI_BASE_URL and OPENAI_API_KEY to use a model")
    try:
        found = asyncio.run(OpenAIModel("any", base_url=url).list_models())
    except LongtakeError as e:
        return Check("model endpoint", False, str(e), "check OPENAI_BASE_URL and OPENAI_API_KEY")
    return Check("model endpoint", True, f"{len(found)} models: {', '.join(found[:5])}")


def _gpu() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("GPU", None, "PyTorch is not installed", "only training and local models need it")
    torch: Any = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return Check("GPU", None, f"none that PyTorch {torch.__version__} can use")
    return Check("GPU", True, torch.cuda.get_device_name(0))
