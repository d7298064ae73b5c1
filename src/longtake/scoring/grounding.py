"""Temporal grounding: the stretch of time that an answer states, against gold. Pure.

Times are read by `clock`; here are the wordings around them. Where an agent merely looked is `looked`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..clock import TIME, parse_seconds, spans_in
from ..errors import ScoringError
from ..types import Sample, Score, TimeSpan, Trace
from .base import UNREAD, Scorer, answer_of
from .choice import choice
from .numbers import figures

__all__ = [
    "asa",
    "clip",
    "clip_of",
    "read_spans",
    "recall_03",
    "recall_05",
    "recall_07",
    "recall_at",
    "same_clip",
    "temporal_iou",
    "union",
    "union_iou",
]

_ASA_IOU = 0.5
_NEAR = 40
_BETWEEN = r"[^\d\n]{0,30}?\n?[^\d\n]{0,30}?"
_START_END = re.compile(
    rf"\b(?:start|begin)\w*{_BETWEEN}(?<![\d.:])({TIME}){_BETWEEN}\b(?:(?:end|finish|stop|until)\w*|last\w*\s+(?:until|till|to)\b)"
    rf"{_BETWEEN}({TIME})",
    re.IGNORECASE,
)
"""``starts at 0:12 and ends at 0:30``, ``{"start_time": 12, "end_time": 30}``, one on each line."""
_START_LENGTH = re.compile(
    rf"\b(?:start|begin)\w*{_BETWEEN}(?<![\d.:])({TIME}){_BETWEEN}"
    rf"\b(?:last(?:s|ed|ing)?\b(?!\s+(?:until|till|to)\b)|duration\b|for\b(?=[^\d\n]{{0,20}}[\d.]+\s*[hms])){_BETWEEN}({TIME})",
    re.IGNORECASE,
)
"""``starts at 0:12 and lasts for 18 seconds``."""
_ASIDE = re.compile(rf"(?<![\d.:])({TIME})\s*\(([^()]{{0,80}})\)", re.IGNORECASE)
_FOREIGN = (
    (re.compile(r"(?<=\d)\s*(?:秒[钟鐘間间]?|Sekunden?\b|segundos?\b|secondes?\b|secondi\b)", re.IGNORECASE), " s "),
    (re.compile(r"(?<=\d)\s*(?:分[钟鐘]?|Minuten?\b|minutos?\b|minuti\b)", re.IGNORECASE), " min "),
    (re.compile(r"(?<=\d)\s*(?:小时|小時|時間|Stunden?\b|horas?\b|heures?\b)", re.IGNORECASE), " h "),
    (re.compile(r"(?<=[\ds.])\s*(?:到|至|から|\s(?:bis|à|hasta|até)\s)\s*(?=\d)", re.IGNORECASE), " to "),
)
"""Units and words for a range in other languages, as English has them."""
_SURELY_TIME = re.compile(r":\d|\d\s*[hms]|[\[(]", re.IGNORECASE)
_FROM = re.compile(r"\b(?:from|between|von|de|entre|从|從)\s*(?:(?:about|around|the|second|at)\s+)*\Z", re.IGNORECASE)
_NEGATIVE = re.compile(r"(?<![\w)\].])-\Z")
_PAIR = re.compile(rf"\W*({TIME})\s*[,;]\s*({TIME})\W*", re.IGNORECASE)
_SHOWN_CLIP = re.compile(r"\n\n(\S+) \[\d+:\d\d:\d\d\.\d - ")
_NEW_CLIP = re.compile(r"<New_clip>\s*([^\s<]+)")


def read_spans(text: str) -> list[TimeSpan]:
    """Every time range that ``text`` states, in order, each once: ``24.3 - 30.4``, ``0:24 to 0:30``, ``[24.3, 30.4]``,
    ``between twenty-four and thirty seconds``, ``starts at 24.3 and ends at 30.4``, ``{"start": 24.3, "end": 30.4}``.

    A range that ends before it starts is none, and neither is a single moment. Where some are surely times, by a unit,
    a colon or a ``from``, others are none: ``2-3 people from 12 to 20 s``."""
    said = _without_asides(_in_english(figures(text)))
    found, unsure = list[tuple[int, TimeSpan]](), list[tuple[int, TimeSpan]]()
    for at, end, span in spans_in(said):
        if not _NEGATIVE.search(said, 0, at):
            is_time = _SURELY_TIME.search(said, at, end) or _FROM.search(said, max(0, at - _NEAR), at)
            (found if is_time else unsure).append((at, span))
    for match in _START_END.finditer(said):
        found += _span(match.start(), parse_seconds(match[1]), parse_seconds(match[2]))
    for match in _START_LENGTH.finditer(said):
        start = parse_seconds(match[1])
        found += _span(match.start(), start, start + parse_seconds(match[2]))
    found = found or unsure
    if not found and (pair := _PAIR.fullmatch(said)):
        found = _span(0, parse_seconds(pair[1]), parse_seconds(pair[2]))
    return list(dict.fromkeys(span for _, span in sorted(found, key=lambda pair: pair[0])))


def temporal_iou(trace: Trace, sample: Sample) -> Score:
    """Overlap (intersection over union) of the span that the answer states with the gold span it fits best.

    The span is the first in the answer, else of its evidence; for a question with options, whose texts may hold times,
    the other way round. An answer without any is 0, and its explanation begins ``unread``. The mean is mIoU."""
    try:
        span = _stated(trace, sample)
    except ScoringError as e:
        return Score("temporal_iou", None, error=str(e))
    if span is None:
        return Score("temporal_iou", 0.0, f"{UNREAD}states no span")
    best = max(span.iou(gold) for gold in sample.target_spans)
    return Score("temporal_iou", best, f"stated {span.start:g} - {span.end:g} s")


def recall_at(threshold: float) -> Scorer:
    """R@1: a scorer ``recall@<threshold>`` that gives 1 if `temporal_iou` is at least ``threshold``."""
    name = f"recall@{threshold:g}"

    def recall(trace: Trace, sample: Sample) -> Score:
        found = temporal_iou(trace, sample)
        if found.value is None:
            return Score(name, None, error=found.error)
        return Score(name, float(found.value >= threshold), f"{found.explanation}, IoU {found.value:.3f}")

    return recall


recall_03, recall_05, recall_07 = recall_at(0.3), recall_at(0.5), recall_at(0.7)


def asa(trace: Trace, sample: Sample) -> Score:
    """TVQA+'s answer-span joint accuracy: 1 if the answer is right and its span has an IoU of at least 0.5."""
    answered, found = choice(trace, sample), temporal_iou(trace, sample)
    if answered.value is None or found.value is None:
        return Score("asa", None, error=answered.error or found.error)
    right = answered.value == 1 and found.value >= _ASA_IOU
    return Score("asa", float(right), f"{answered.explanation}; {found.explanation}, IoU {found.value:.3f}")


def clip(trace: Trace, sample: Sample) -> Score:
    """Grounding accuracy: 1 if the clip that a `team` run was in at its end, or a `ground` run named, is
    ``metadata["clip"]``.

    That is the last one its grounding moved to, else the one it was shown at first."""
    gold = sample.metadata.get("clip")
    try:
        answer_of(trace)
    except ScoringError as e:
        return Score("clip", None, error=str(e))
    if not isinstance(gold, str) or not gold:
        return Score("clip", None, error=f"sample {sample.id} has no gold clip")
    if (found := clip_of(trace)) is None:
        return Score("clip", None, error=f"the agent {trace.agent!r} goes to no clip; team and ground do")
    return Score("clip", float(same_clip(found, gold)), f"was in {found}, right is {gold}")


def clip_of(trace: Trace) -> str | None:
    """The clip that a `team` run was in at its end or that a `ground` run named, None for other agents' runs."""
    if trace.agent == "ground":
        return trace.answer.text if trace.answer is not None else None
    moved = [
        found[1]
        for turn in trace.turns
        for call, result in zip(turn.calls, turn.results, strict=False)
        if call.name == "ground" and result.error is None
        for part in result.content
        if isinstance(part, str) and (found := _NEW_CLIP.search(part))
    ]
    shown = [found for message in trace.opening for found in _SHOWN_CLIP.findall(message.text)]
    return moved[-1] if moved else shown[-1] if shown else None


def same_clip(one: str, other: str) -> bool:
    """Data leave out the show of TVQA's first show: ``s01e01_seg02_clip_00`` is ``bbt_s01e01_seg02_clip_00``."""
    plain = [name.casefold().removeprefix("bbt_") for name in (one, other)]
    return plain[0] == plain[1]


def union(spans: Sequence[TimeSpan]) -> list[TimeSpan]:
    """The same seconds as spans that do not touch, in order."""
    apart = list[TimeSpan]()
    for span in sorted(spans):
        if apart and span.start <= apart[-1].end:
            apart[-1] = TimeSpan(apart[-1].start, max(apart[-1].end, span.end))
        else:
            apart.append(span)
    return apart


def union_iou(some: Sequence[TimeSpan], others: Sequence[TimeSpan]) -> float:
    """Intersection over union of the unions of spans, of which neither may be empty."""
    a, b = union(some), union(others)
    shared = sum(one.overlap(other) for one in a for other in b)
    return shared / (sum(s.duration for s in a) + sum(s.duration for s in b) - shared)


def _span(at: int, start: float, end: float) -> list[tuple[int, TimeSpan]]:
    return [(at, TimeSpan(start, end))] if start < end else []


def _in_english(text: str) -> str:
    for pattern, english in _FOREIGN:
        text = pattern.sub(english, text)
    return text


def _without_asides(text: str) -> str:
    """``text`` without what stands in brackets after a time, if it is no range: ``12 (0:12) to 20 (0:20)``."""
    return _ASIDE.sub(lambda match: match[0] if any(spans_in(f"({match[2]})")) else match[1], text)


def _stated(trace: Trace, sample: Sample) -> TimeSpan | None:
    written = read_spans(answer_of(trace))
    if not sample.target_spans:
        raise ScoringError("the sample has no gold span")
    stated = [evidence.span for evidence in trace.answer.evidence] if trace.answer else []
    found = [*stated, *written] if sample.choices else [*written, *stated]
    return found[0] if found else None
