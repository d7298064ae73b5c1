"""Makes the ten-minute sample video of `longtake demo`: H.264 in MP4 with an embedded subtitle track.

Owns encoding and writing; the story is `story`, the pictures are `scenes`. Answers nothing, prints nothing.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (PyAV's Packet is generic without a default, so everything that returns one is partly unknown.)
from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.frame import PictureType

from ...errors import StoreError
from ...types import Cue, Sample
from .art import HEIGHT, WIDTH
from .scenes import clock, frame, stage
from .story import DURATION_SECONDS, SCENES, cues, questions, scene_spans

__all__ = ["FILE_NAME", "DemoVideo", "make_demo_video"]

FILE_NAME = "a_day_on_gull_island.mp4"
_FPS = 5
_MILLISECOND = Fraction(1, 1000)
_X264 = {"preset": "superfast", "bf": "0", "crf": "26", "g": "100", "forced-idr": "1", "threads": "2"}
"""Cheap to make and to seek in; a fixed number of threads gives the same file on every machine of a kind."""
_SUBTITLE_HEADER = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True, slots=True)
class DemoVideo:
    """The file and three questions about it, with their truth in ``target`` and ``target_spans``."""

    path: Path
    questions: tuple[Sample, ...]


def make_demo_video(folder: Path, *, on_progress: Callable[[int, int], None] | None = None) -> DemoVideo:
    """Writes the sample video into ``folder`` (made if absent), in place of an older one.

    ``on_progress(done, total)`` is called after each second of video. The file appears when it is complete; what is
    interrupted leaves nothing. Raises `StoreError` when it cannot be written."""
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".demo.") as unfinished:
            part = Path(unfinished) / FILE_NAME
            _write(part, on_progress)
            os.replace(part, path)
    except OSError as e:
        raise StoreError(f"cannot write the sample video {path}: {e}; choose a folder you can write") from e
    return DemoVideo(path, questions(str(path)))


def _write(path: Path, on_progress: Callable[[int, int], None] | None) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=_FPS, options=_X264)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        subtitles = container.add_stream("mov_text")
        subtitles.codec_context.subtitle_header = _SUBTITLE_HEADER.encode()
        subtitles.codec_context.time_base = _MILLISECOND
        subtitles.metadata["language"] = "eng"
        waiting = list(cues())
        for scene, span in zip(SCENES, scene_spans(), strict=True):
            drawn = stage(scene)
            for second in range(scene.seconds):
                shown = int(span.start) + second
                corner = clock(shown)
                for step in range(_FPS):
                    picture = av.VideoFrame.from_ndarray(np.asarray(frame(drawn, second + step / _FPS, corner)))
                    picture.pts, picture.time_base = shown * _FPS + step, Fraction(1, _FPS)
                    if second == step == 0:  # players and skims find each scene at once
                        picture.pict_type = PictureType.I
                    container.mux(video.encode(picture))
                while waiting and waiting[0].span.start < shown + 1:
                    _mux_cue(container, subtitles, waiting.pop(0))
                if on_progress:
                    on_progress(shown + 1, DURATION_SECONDS)
        container.mux(video.encode(None))


def _mux_cue(container: OutputContainer, stream: SubtitleStream, cue: Cue) -> None:
    start, length = round(cue.span.start * 1000), round(cue.span.duration * 1000)
    event = SubtitleSet.create(f"0,0,Default,,0,0,0,,{cue.text}".encode(), 0, length, start)
    packet = stream.codec_context.encode_subtitle(event)
    packet.stream, packet.time_base = stream, _MILLISECOND
    packet.pts = packet.dts = start
    packet.duration = length
    container.mux(packet)
