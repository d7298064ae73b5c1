"""Runs that never ran, for scorers."""

from __future__ import annotations

from longtake.types import Answer, Evidence, Message, ModelOutput, Sample, StopReason, TimeSpan, Trace, Turn, VideoInfo

__all__ = ["VIDEO", "trace"]

VIDEO = VideoInfo("v", "f", 100.0, 25.0, 2500, 64, 48, "h264", False)


def trace(
    text: str | None, *, spans: tuple[TimeSpan, ...] = (), stop: StopReason = "answered", reply: str = ""
) -> Trace:
    """A run of `crop` that ended with the answer ``text`` and stated ``spans``; its last reply was ``reply``."""
    answer = None if text is None else Answer(text, tuple(Evidence(span, "", "stated") for span in spans))
    turns = (Turn(ModelOutput(Message("assistant", (reply,)), "m")),) if reply else ()
    error = None if answer else "the endpoint is unreachable"
    return Trace(Sample("1", "v", "q"), VIDEO, "crop", "m", {}, (), turns, answer, stop, error)
