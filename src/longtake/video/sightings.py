"""Text seen in single pictures -> cues: the same line in pictures that follow each other becomes one.

Pure. Lines are followed one by one, so that a running clock in a corner does not break up the rest of the picture;
lines seen in exactly the same pictures are then put together in one cue, in reading order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from ..types import Box, Cue, TimeSpan

__all__ = ["Line", "Sighting", "blocks_to_cues", "moment_spans", "skim_spans", "written"]

_SURE = 0.95
"""Two readings that differ and are both surer than this saw different text: "Building A", "Building B"."""
_ALIKE = 0.85
_MAX_MISSED = 1
"""Pictures in which a line may go unread (blur, a hand before it) without ending it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a picture; ``score`` is the recogniser's confidence in [0, 1]."""

    text: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is read in the picture shown at ``seconds``."""

    seconds: float
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Thread:
    """One line through the pictures ``first`` to ``last`` (positions, both included)."""

    first: int
    last: int
    seen: list[Line] = field(default_factory=list[Line])

    def best(self) -> Line:
        """The reading seen most often, then the surest."""
        texts = [line.text for line in self.seen]
        return max(self.seen, key=lambda line: (texts.count(line.text), line.score))


def written(lines: Iterable[Line]) -> str:
    """The lines as a reader takes them in: paragraph by paragraph, each row by row, one row a line.

    Lines are one paragraph if they stand close under each other or close side by side, so that a logo in one corner
    is not read into the caption in another."""
    paragraphs: list[list[Line]] = []
    for line in lines:
        near = [other for other in paragraphs if any(_close(line, member) for member in other)]
        paragraphs = [other for other in paragraphs if other not in near]
        paragraphs.append([line, *(member for other in near for member in other)])
    paragraphs.sort(key=lambda members: min((line.box.top, line.box.left) for line in members))
    texts = [" ".join(line.text for line in row) for members in paragraphs for row in _rows(members)]
    return "\n".join(dict.fromkeys(texts))


def _close(a: Line, b: Line) -> bool:
    """Distances down are measured in heights of the lower line and across in letters, so no picture size is needed."""
    height = min(line.box.bottom - line.box.top for line in (a, b))
    letter = max((line.box.right - line.box.left) / len(line.text) for line in (a, b))
    down = max(a.box.top, b.box.top) - min(a.box.bottom, b.box.bottom)
    across = max(a.box.left, b.box.left) - min(a.box.right, b.box.right)
    return (across < 0 and down < height) or (down < -height / 2 and across < 2 * letter)


def _rows(lines: Iterable[Line]) -> list[list[Line]]:
    found: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.top + line.box.bottom):
        middle = (line.box.top + line.box.bottom) / 2
        if found and any(other.box.top < middle < other.box.bottom for other in found[-1]):
            found[-1].append(line)
        else:
            found.append([line])
    return [sorted(row, key=lambda line: line.box.left) for row in found]


def _key(text: str) -> str:
    """What of a text is compared: letters and digits, with the pairs that recognisers confuse made one."""
    return "".join(c for c in text.casefold() if c.isalnum()).translate(str.maketrans("0il", "o11"))


def _numbers(text: str) -> list[str]:
    """Words that are at least half digits. Another number is another fact, however alike the texts are."""
    return [word for word in text.split() if 2 * sum(map(str.isdigit, word)) >= sum(map(str.isalnum, word)) > 0]


def _same(a: Line, b: Line) -> bool:
    key_a, key_b = _key(a.text), _key(b.text)
    if key_a == key_b:
        return bool(key_a) or a.text == b.text
    if min(a.score, b.score) > _SURE or min(len(key_a), len(key_b)) < 4:
        return False
    if _numbers(a.text) != _numbers(b.text):
        return False
    matcher = SequenceMatcher(None, key_a, key_b)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def _threads(sightings: Sequence[Sighting], max_gap_seconds: float) -> list[_Thread]:
    ended: list[_Thread] = []
    open_: list[_Thread] = []
    for position, sighting in enumerate(sightings):
        still: list[_Thread] = []
        for thread in open_:
            gap = sighting.seconds - sightings[thread.last].seconds
            missed = position - thread.last - 1
            (still if missed <= _MAX_MISSED and gap <= max_gap_seconds else ended).append(thread)
        open_, free = still, list(still)
        for line in sighting.lines:
            thread = next((thread for thread in free if _same(thread.seen[-1], line)), None)
            if thread is None:
                open_.append(_Thread(position, position, [line]))
            else:
                free.remove(thread)
                thread.last = position
                thread.seen.append(line)
    return ended + open_


def blocks_to_cues(
    sightings: Sequence[Sighting], span_of: Callable[[int, int], TimeSpan], *, max_gap_seconds: float
) -> tuple[Cue, ...]:
    """One cue for the lines seen from the same first to the same last picture, in order of time.

    ``sightings`` ascend in time. ``span_of(first, last)`` gives the span for positions in it, both included. Pictures
    further apart than ``max_gap_seconds`` are not taken to show the same line all along."""
    blocks: dict[tuple[int, int], list[Line]] = {}
    for thread in _threads(sightings, max_gap_seconds):
        blocks.setdefault((thread.first, thread.last), []).append(thread.best())
    cues: list[Cue] = []
    for (first, last), lines in sorted(blocks.items(), key=lambda item: item[0]):
        cues.append(Cue(span_of(first, last), written(lines), "screen"))
    return tuple(sorted(cues, key=lambda cue: cue.span))


def skim_spans(seconds: Sequence[float], scenes: Sequence[TimeSpan]) -> Callable[[int, int], TimeSpan]:
    """Spans for pictures taken at ``seconds`` of a video made of ``scenes``.

    A line first seen in one picture and not in the one before appeared somewhere between, most likely with the cut
    if there was one: the span starts at the later of the picture before and the start of the scene. It ends at the
    earlier of the picture after and the end of the scene. So it is too wide by up to the distance of the pictures
    on each side, and holds the moment a viewer would name."""

    def scene_at(moment: float) -> TimeSpan:
        return next((scene for scene in scenes if moment in scene), TimeSpan(moment, moment + 1e-3))

    def span_of(first: int, last: int) -> TimeSpan:
        start, end = scene_at(seconds[first]).start, scene_at(seconds[last]).end
        if first > 0:
            start = max(start, seconds[first - 1])
        if last + 1 < len(seconds):
            end = min(end, seconds[last + 1])
        return TimeSpan(start, end)

    return span_of


def moment_spans(seconds: Sequence[float], frame_seconds: float) -> Callable[[int, int], TimeSpan]:
    """Spans for pictures that were asked for one by one: from the first to the end of the last, and no more."""
    return lambda first, last: TimeSpan(seconds[first], seconds[last] + frame_seconds)
