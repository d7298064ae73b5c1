"""From a video to its events (LongVT): scenes, the captions of one event merged, a summary of all of them.

Whether two neighbours are one event, how they are merged and what they come to is said by a model; the order of the
calls is fixed and all times are those of the captions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from ...agents.prompt import render
from ...errors import FormatError, RejectedError
from ...types import Model
from ...video import scenes as cuts
from ..step import Context, Record, Step, Value
from ..values import Caption, Clip, Source, as_value
from .caption import caption_lines
from .split import scene_clips
from .verdicts import ask_and_read, asking_config, read_tagged, read_yes_no

__all__ = ["Events", "Summary", "events", "scenes", "summary", "together"]

T = TypeVar("T")
MIN_SCENE_SECONDS = 1.0
LARGEST_HOLE_SECONDS = 1.0
"""Captions that lie further apart are never of one event."""
GROUP_SIZE = 8
"""Events that are summarised at once."""
YES_NO_TOKENS, CAPTION_TOKENS, SUMMARY_TOKENS = 2048, 2048, 2000
"""Room for a thought before the reply; a reply that is cut off is never used."""
SUMMARY_TEMPERATURE = 0.2


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a video in order of time, each as a caption.

    ``num_undecided``: places where captions stayed apart since the model did not say, or did not merge them."""

    events: tuple[Caption, ...]
    num_undecided: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    summary: str
    num_events: int


# -------------------------------------------------------------------------------------------------------------- scenes


def scenes(*, max_seconds: float, threshold: float) -> Step:
    """A `Clip` for every scene of a source; a longer one is cut into equal pieces of at most ``max_seconds``."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        video = await ctx.open(records[0].find("source"))
        found = await ctx.in_thread(
            lambda: cuts.detect(video, threshold=threshold, min_scene_seconds=MIN_SCENE_SECONDS)
        )
        return [as_value(Clip(span)) for span in scene_clips(found, max_seconds)]

    config = {
        "max_seconds": max_seconds,
        "min_seconds": MIN_SCENE_SECONDS,
        "threshold": threshold,
        "detector": cuts.VERSION,
    }
    return Step("scenes", 1, config, run, many=True)


# -------------------------------------------------------------------------------------------------------------- events


def events(model: Model, *, min_captioned_share: float) -> Step:
    """The `Events` of a video: neighbouring captions that a model says are of one event are merged into one.

    Where the model refuses or cannot be understood captions stay apart, and that is counted. The video is dropped
    when less than ``min_captioned_share`` of it has a caption."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        captions = sorted((record.read(Caption) for record in records), key=lambda caption: caption.start_time)
        _check_share(captions, records[0].find("source").read(Source), min_captioned_share)
        same = await together(_is_same(ctx, model, a, b) for a, b in pairwise(captions))
        merged = await together(_event(ctx, model, run) for run in _runs(captions, [each or False for each in same]))
        undecided = same.count(None) + sum(len(event) > 1 for event in merged)
        return [as_value(Events(tuple(caption for event in merged for caption in event), undecided))]

    config = asking_config(
        model,
        ["data_same_event", "data_merge_captions", "again"],
        min_captioned_share=min_captioned_share,
        largest_hole=LARGEST_HOLE_SECONDS,
        temperature=0.0,
        max_tokens=[YES_NO_TOKENS, CAPTION_TOKENS],
    )
    return Step("events", 3, config, run, gathers=True)


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """All results in order. What one raises is raised after the others have ended, so that no reply is lost."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    results = list[T]()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


def _check_share(captions: Sequence[Caption], source: Source, least: float) -> None:
    seconds = sum(caption.end_time - caption.start_time for caption in captions)
    share = seconds / source.duration_seconds
    if share < least - 1e-6:
        raise RejectedError(f"only {share:.0%} of the video is captioned, and {least:.0%} is asked for")


async def _is_same(ctx: Context, model: Model, first: Caption, second: Caption) -> bool | None:
    """None when the model does not say. Not across a hole: what happened there nobody described."""
    if second.start_time - first.end_time > LARGEST_HOLE_SECONDS:
        return False
    prompt = render("data_same_event", first=caption_lines([first]), second=caption_lines([second]))
    try:
        return await ask_and_read(ctx, model, prompt, read_yes_no, temperature=0.0, max_tokens=YES_NO_TOKENS)
    except (RejectedError, FormatError):
        return None


async def _event(ctx: Context, model: Model, captions: Sequence[Caption]) -> Sequence[Caption]:
    """One caption for all of one event; the captions as they are where the model does not merge them."""
    try:
        return [await _merged(ctx, model, captions)]
    except (RejectedError, FormatError):
        return captions


def _runs(captions: Sequence[Caption], same: Sequence[bool]) -> list[list[Caption]]:
    """Captions that belong together; ``same[i]`` says whether caption i + 1 goes on with the event of caption i."""
    runs = [[captions[0]]]
    for caption, goes_on in zip(captions[1:], same, strict=True):
        if goes_on:
            runs[-1].append(caption)
        else:
            runs.append([caption])
    return runs


async def _merged(ctx: Context, model: Model, captions: Sequence[Caption]) -> Caption:
    """One caption for all of one event: neighbours are merged two by two until one is left."""
    while len(captions) > 1:
        captions = await together(_merge_two(ctx, model, captions[i : i + 2]) for i in range(0, len(captions), 2))
    return captions[0]


async def _merge_two(ctx: Context, model: Model, captions: Sequence[Caption]) -> Caption:
    if len(captions) == 1:
        return captions[0]
    first, second = captions
    prompt = render("data_merge_captions", first=caption_lines([first]), second=caption_lines([second]))
    text = await ask_and_read(
        ctx, model, prompt, lambda said: read_tagged(said, "caption"), temperature=0.0, max_tokens=CAPTION_TOKENS
    )
    return Caption(first.start_time, second.end_time, text)


# ------------------------------------------------------------------------------------------------------------- summary


@dataclass(frozen=True, slots=True)
class _Part:
    """The summary of the events ``first`` to ``last``, numbered from 1, both included."""

    first: int
    last: int
    start: float
    end: float
    text: str

    @property
    def line(self) -> str:
        name = f"Event {self.first}" if self.first == self.last else f"Events {self.first} to {self.last}"
        return f"{name}. {caption_lines([Caption(self.start, self.end, self.text)])}"


def summary(model: Model) -> Step:
    """The `Summary` of a video's events: of groups of eight first, then two by two until one is left."""

    async def run(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        found = records[0].find("events").read(Events).events
        parts = [_Part(i, i, e.start_time, e.end_time, e.caption) for i, e in enumerate(found, 1)]
        groups = [parts[i : i + GROUP_SIZE] for i in range(0, len(parts), GROUP_SIZE)]
        parts = await together(_summarised(ctx, model, "data_summary", "events", group) for group in groups)
        while len(parts) > 1:
            pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
            parts = await together(_summarised(ctx, model, "data_merge_summaries", "summaries", pair) for pair in pairs)
        return [as_value(Summary(parts[0].text, len(found)))]

    config = asking_config(
        model,
        ["data_summary", "data_merge_summaries", "again"],
        temperature=SUMMARY_TEMPERATURE,
        max_tokens=SUMMARY_TOKENS,
        group_size=GROUP_SIZE,
    )
    return Step("summary", 2, config, run)


async def _summarised(ctx: Context, model: Model, prompt: str, field: str, parts: Sequence[_Part]) -> _Part:
    if prompt == "data_merge_summaries" and len(parts) == 1:
        return parts[0]
    lines = "\n".join(part.line for part in parts)
    said = await ask_and_read(
        ctx,
        model,
        render(prompt, **{field: lines}),
        lambda said: read_tagged(said, "summary"),
        temperature=SUMMARY_TEMPERATURE,
        max_tokens=SUMMARY_TOKENS,
    )
    return _Part(parts[0].first, parts[-1].last, parts[0].start, parts[-1].end, said)
