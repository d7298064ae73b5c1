"""The steps that describe the clips of a video, and put the descriptions of a video together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...agents.prompt import render
from ...agents.tools import cue_lines
from ...clock import span_label
from ...errors import ConfigError, RejectedError
from ...media import Source as WordSource
from ...media import TimeSpan
from ...models.pixels import as_jpegs
from ...types import Frames, Model, Part
from ...video.decode import Video
from ...video.sample import by_fps
from ...video.text import TimedText
from ..step import Context, Record, Step, Value
from ..values import Caption, CaptionedVideo, Clip, Source, as_value
from .verdicts import ask_and_read, asking_config, read_tagged

__all__ = ["caption", "caption_lines", "merge", "timed_words"]

JPEG_QUALITY = 85


def caption(
    model: Model,
    *,
    fps: float = 2.0,
    max_frames: int = 32,
    max_pixels: int = 360 * 420,
    ocr: bool = False,
    max_tokens: int = 4096,
) -> Step:
    """`Clip` -> `Caption`: ``model`` sees up to ``max_frames`` frames of the clip with their times, and its words.

    ``fps`` a second, of at most ``max_pixels`` each; the words are subtitles, with ``ocr`` also writing in the
    pictures. Frames that cannot be decoded are left out and the model is told; a clip without any is a failure of
    the video. A reply without <caption>...</caption> may be mended once. Raises `ConfigError` for settings that give no
    picture."""
    if not fps > 0 or max_frames < 1 or max_pixels < 28 * 28:
        raise ConfigError(
            "a caption needs fps above 0, at least 1 frame and at least 784 pixels a frame, got"
            f" fps={fps} max_frames={max_frames} max_pixels={max_pixels}"
        )

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        (record,) = records
        clip = record.read(Clip)
        video = await ctx.open(record.find("source"))
        seconds = by_fps(video.clamp(clip.span), fps, max_frames)

        def look() -> tuple[Frames, tuple[str, ...], str]:
            frames, damage = video.readable_frames(seconds, max_pixels=max_pixels)
            return as_jpegs(frames, quality=JPEG_QUALITY), damage, timed_words(video, clip.span, ocr=ocr)

        frames, damage, words = await ctx.in_thread(look)
        prompt = render("data_caption", num_frames=str(len(frames)), span=span_label(clip.span), words=words)
        parts: list[Part] = [prompt + "\n\n", *(f"Note: {what}.\n\n" for what in damage), frames]
        said = await ask_and_read(
            ctx, model, parts, lambda said: read_tagged(said, "caption"), temperature=0.0, max_tokens=max_tokens
        )
        return [as_value(Caption(clip.span.start, clip.span.end, said))]

    config = asking_config(
        model,
        ["data_caption", "again"],
        fps=fps,
        max_frames=max_frames,
        max_pixels=max_pixels,
        ocr=ocr,
        quality=JPEG_QUALITY,
        max_tokens=max_tokens,
    )
    return Step("caption", 2, config, run)


def timed_words(video: Video, span: TimeSpan, *, ocr: bool = False) -> str:
    """What a prompt says of the words of ``span``: a line a cue as tools show them, or that there are none.

    Subtitles, and with ``ocr`` writing in the pictures (all of the video is read once). Takes its time: call it in a
    thread. Raises `MissingExtraError` where ``ocr`` needs an extra that is absent, `VideoError`."""
    text = _text_of(video, ocr)
    sources: list[WordSource] = [source for source in text.sources() if source == "subtitles"]
    if ocr:
        sources.append("screen")
    cues = text.cues_in(span, sources)
    return f"Words in this clip:\n{cue_lines(cues)}" if cues else "No words of this clip are known."


@lru_cache(maxsize=64)
def _text_of(video: Video, ocr: bool) -> TimedText:
    """Kept for the videos at work, so that not every clip reads the subtitles anew."""
    return TimedText(video, ocr=ocr)


def merge(*, min_captioned_share: float = 0.8) -> Step:
    """All `Caption` of a video -> `CaptionedVideo`, in order of time.

    Clips whose caption was refused are absent. The video is rejected when less than ``min_captioned_share`` of its
    length is captioned: what is asked about it could be answered by what is missing."""
    if not 0 <= min_captioned_share <= 1:
        raise ConfigError(f"min_captioned_share is from 0 to 1, got {min_captioned_share}")

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        source = records[0].find("source").read(Source)
        captions = sorted((record.read(Caption) for record in records), key=lambda c: (c.start_time, c.end_time))
        covered = sum(one.end_time - one.start_time for one in captions)
        if covered < min_captioned_share * source.duration_seconds - 1e-6:
            raise RejectedError(
                f"only {covered:.1f} of {source.duration_seconds:.1f} s have a caption, less than the share"
                f" {min_captioned_share:g} that is wanted (min_captioned_share)"
            )
        return [as_value(CaptionedVideo(source.id, tuple(captions)))]

    return Step("merge", 1, {"min_captioned_share": min_captioned_share}, run, gathers=True)


def caption_lines(captions: Sequence[Caption]) -> str:
    """One line a caption, ``From 10.0 to 20.0 s: text``, as prompts show them."""
    return "\n".join(
        f"From {round(one.start_time, 3)} to {round(one.end_time, 3)} s: {' '.join(one.caption.split())}"
        for one in captions
    )
