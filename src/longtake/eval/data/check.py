"""Looks a benchmark over before anything is spent on it: what was read, what is missing, what guessing would score.

Says what it finds and what to do about it; changes nothing and calls no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from statistics import median

from ...agents.prompt import LETTERS
from ...errors import VideoError
from ...types import JSON
from ...video.decode import Video
from ...video.text import TimedText
from ..items import Item, Malformed
from .columns import Unfound
from .fields import FieldError, read_spans
from .hub import names_split
from .read import Duplicate, Loaded

__all__ = ["Check", "check_benchmark"]


_SHOWN = 5
_COLUMNS_SHOWN = 20
_OVER_SECONDS = 1.0
"""Durations in headers are not exact, and spans are rounded: so much past the end is not a wrong span."""
_SKEWED = 1.5
_ENOUGH = 10
"""Fewer answers say nothing about how they are spread."""
_CHECK_PIXELS = 64 * 64


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. Shares are in [0, 1]; ``undecodable``: video -> why; None where no video was opened.

    ``num_answers`` counts choices whose answer is known, ``expected_rows`` and ``expected_videos`` are published
    counts, ``repeated`` the groups of ids that ask the same of the same video, ``conflicts`` those of them whose
    answers differ,
    ``spans_outside`` the ids of questions whose gold lies past the end of their video. ``num_videos``: a file under
    several names counts once; ``num_subtitles``: those that were found and have some, where videos were opened also in
    them or beside them. ``timed_words``: the ids of answers in words that read as times."""

    name: str
    num_rows: int
    num_items: int
    expected_rows: int | None
    expected_videos: int | None
    malformed: Sequence[Malformed]
    duplicates: Sequence[Duplicate]
    notes: Sequence[Malformed]
    repeated: Sequence[Sequence[str]]
    conflicts: Sequence[Sequence[str]]
    unfound: Sequence[Unfound]
    kinds: Mapping[str, int]
    num_without_gold: int
    num_answers: int
    answer_prior: Mapping[str, float]
    chance: float | None
    num_options: Mapping[int, int]
    num_videos: int
    questions_per_video: tuple[int, float, int]
    missing: Sequence[str]
    ambiguous: Mapping[str, str]
    num_subtitles: int | None
    needs_subtitles: bool
    num_gold_spans: int
    undecodable: Mapping[str, str] | None = None
    spans_outside: Sequence[str] = ()
    timed_words: Sequence[str] = ()
    provenance: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    @property
    def constant(self) -> tuple[str, float] | None:
        """The answer that is right most often, and how often always giving it would be right."""
        return max(self.answer_prior.items(), key=lambda pair: pair[1]) if self.answer_prior else None

    @property
    def num_found(self) -> int:
        return self.num_videos - len(self.missing) - len(self.ambiguous)

    @property
    def problems(self) -> list[str]:
        """What should be seen to before a run, one sentence each with the next step; the worst first."""
        lacking = [self._lacking] if self._lacking and self.needs_subtitles else []
        return [*self._of_rows(), *self._of_videos(), *lacking, *self._of_gold()]

    @property
    def remarks(self) -> list[str]:
        """What one may want to know, and is no problem."""
        found = [self._lacking] if self._lacking and not self.needs_subtitles else []
        if self.timed_words:
            some = ", ".join(self.timed_words[:_SHOWN])
            found.append(
                f"{len(self.timed_words)} of the answers in words read as times: {some}; if they are, write "
                '[start, end], or say kind = "span" in a TOML file'
            )
        return found

    def _of_rows(self) -> list[str]:
        found = list[str]()
        if not self.num_items:
            found.append("no row can be used; is this the right benchmark for these data?")
        if self.malformed:
            first = self.malformed[0]
            found.append(
                f"{len(self.malformed)} of {self.num_rows} rows are malformed and will not be asked, the first "
                f"{first.place}: {first.reason}. Mend the rows, or name the fields in a TOML file"
            )
        found += [
            f"{each.key} ({', '.join(each.names)}): found in 0 of {self.num_rows} rows; they have: "
            f"{', '.join(each.columns[:_COLUMNS_SHOWN])}"
            for each in self.unfound
        ]
        if self.expected_rows is not None and self.num_rows != self.expected_rows:
            found.append(
                f"{self.num_rows} rows were read and {self.expected_rows} are published; numbers of another set of "
                "questions cannot be compared: check the split and the revision"
            )
        if self.duplicates:
            found.append(f"{len(self.duplicates)} rows repeat another row and are asked once")
        if self.conflicts:
            some = ", ".join("=".join(ids) for ids in self.conflicts[:_SHOWN])
            found.append(f"{len(self.conflicts)} questions stand with different answers, which is right? {some}")
        if self.repeated:
            some = ", ".join("=".join(ids) for ids in self.repeated[:_SHOWN])
            found.append(f"{len(self.repeated)} questions stand under several ids and count each time: {some}")
        return found

    def _of_videos(self) -> list[str]:
        found = list[str]()
        if self.expected_videos is not None and self.num_videos != self.expected_videos:
            found.append(f"{self.num_videos} videos are named and {self.expected_videos} are published")
        if self.missing:
            some = ", ".join(self.missing[:_SHOWN])
            lmms = self.name.startswith("lmms:")
            then = "put them where the task looks" if lmms else "give their folder with --videos"
            found.append(f"{len(self.missing)} of {self.num_videos} videos are missing: {some}; {then}")
        found += [f"{why}" for why in list(self.ambiguous.values())[:_SHOWN]]
        if self.undecodable:
            name, why = next(iter(self.undecodable.items()))
            found.append(f"{len(self.undecodable)} videos cannot be decoded, such as {name}: {why}; fetch them again")
        return found

    @property
    def _lacking(self) -> str | None:
        """What to say of videos without subtitles, if there are any."""
        if self.num_subtitles is None or self.num_subtitles >= self.num_found:
            return None
        if self.num_subtitles == 0:
            return "no video has subtitles; give their folder or file with --subtitles, or run with --no-subtitles"
        missing = self.num_found - self.num_subtitles
        return f"{missing} of {self.num_found} videos have no subtitles; they will be asked without"

    def _of_gold(self) -> list[str]:
        found = list[str]()
        if self.num_without_gold:
            found.append(
                f"{self.num_without_gold} of {self.num_items} questions have no answer in the data: they can be asked, "
                "and get no verdict; hand their predictions in where the answers are kept"
            )
        if self.spans_outside:
            some = ", ".join(self.spans_outside[:_SHOWN])
            found.append(
                f"{len(self.spans_outside)} gold spans end after their video: {some}; is it the right video, uncut?"
            )
        if self.num_answers >= _ENOUGH and "A" not in self.answer_prior:
            found.append(
                f"of {self.num_answers} answers none is the first option; if the data count options from 1, say so by "
                "the form index1 in a TOML file"
            )
        best = self.constant
        if best and self.num_answers >= _ENOUGH and self.chance is not None and best[1] > _SKEWED * self.chance:
            found.append(
                f"always answering {best[0]} scores {best[1]:.1%}, chance is {self.chance:.1%}; hold accuracy against "
                "the baseline `constant`"
            )
        return found

    def as_json(self) -> dict[str, JSON]:
        """All of it, for ``--json``."""
        low, mid, high = self.questions_per_video
        best = self.constant
        return {
            "benchmark": self.name,
            "num_rows": self.num_rows,
            "num_items": self.num_items,
            "expected_rows": self.expected_rows,
            "expected_videos": self.expected_videos,
            "malformed": [_row(row) for row in self.malformed],
            "duplicates": [{"source": row.source, "row": row.row, "id": row.id} for row in self.duplicates],
            "notes": [_row(row) for row in self.notes],
            "repeated": [[*ids] for ids in self.repeated],
            "conflicts": [[*ids] for ids in self.conflicts],
            "unfound": {each.key: [*each.names] for each in self.unfound},
            "kinds": {**self.kinds},
            "num_without_gold": self.num_without_gold,
            "num_answers": self.num_answers,
            "answer_prior": {**self.answer_prior},
            "constant": None if best is None else {"answer": best[0], "accuracy": best[1]},
            "chance": self.chance,
            "num_options": {str(number): count for number, count in self.num_options.items()},
            "num_videos": self.num_videos,
            "num_videos_found": self.num_found,
            "questions_per_video": {"min": low, "median": mid, "max": high},
            "missing": [*self.missing],
            "ambiguous": {**self.ambiguous},
            "undecodable": None if self.undecodable is None else {**self.undecodable},
            "num_subtitles": self.num_subtitles,
            "num_gold_spans": self.num_gold_spans,
            "spans_outside": [*self.spans_outside],
            "timed_words": [*self.timed_words],
            "provenance": {**self.provenance},
            "problems": [*self.problems],
            "remarks": [*self.remarks],
        }


def check_benchmark(
    loaded: Loaded,
    decode: bool = False,
    *,
    num_threads: int = 4,
    deadline_seconds: float = 30.0,
    isolate: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Looks over what was read. With ``decode`` a picture of every video is decoded, ``num_threads`` at a time, each
    within ``deadline_seconds``, and gold spans are held against the durations; ``on_progress`` is told (done, all)."""
    items = loaded.items
    by_video = Counter(item.video_id for item in items)
    names = {item.video_name: item.sample.video for item in items}
    paths = sorted({path for path in names.values() if path})
    choices = [item for item in items if item.kind == "choice"]
    letters = Counter(item.sample.target for item in choices if item.sample.target)
    undecodable, opened = None, dict[str, _Opened]()
    if decode:
        fps = loaded.spec.frame_fps
        undecodable, opened = _opened(paths, fps, num_threads, deadline_seconds, isolate, on_progress)
    counts = sorted(by_video.values()) or [0]
    missing = sorted(name for name, path in names.items() if not path and name not in loaded.ambiguous)
    with_words = {item.sample.video for item in items if item.sample.video and item.sample.subtitles}
    with_words |= {path for path, each in opened.items() if each.has_subtitles}
    return Check(
        name=loaded.spec.name,
        num_rows=loaded.num_rows,
        num_items=len(items),
        expected_rows=_expected(loaded, loaded.spec.expected_rows),
        expected_videos=_expected(loaded, loaded.spec.expected_videos),
        malformed=loaded.malformed,
        duplicates=loaded.duplicates,
        notes=loaded.notes,
        repeated=_repeated(items),
        conflicts=_conflicts(items),
        unfound=loaded.unfound,
        kinds=dict(Counter(item.kind for item in items).most_common()),
        num_without_gold=sum(not item.sample.target for item in items),
        num_answers=letters.total(),
        answer_prior={letter: letters[letter] / letters.total() for letter in sorted(letters)},
        chance=sum(1 / len(item.sample.choices) for item in choices) / len(choices) if choices else None,
        num_options=dict(sorted(Counter(len(item.sample.choices) for item in choices).items())),
        num_videos=len(paths) + len(missing) + len(loaded.ambiguous),
        questions_per_video=(counts[0], float(median(counts)), counts[-1]),
        missing=missing,
        ambiguous=loaded.ambiguous,
        num_subtitles=None if loaded.num_subtitles is None else len(with_words),
        needs_subtitles=loaded.needs_subtitles,
        num_gold_spans=sum(bool(item.sample.target_spans) for item in items),
        undecodable=undecodable,
        spans_outside=[item.sample.id for item in items if _is_outside(item, opened)],
        timed_words=_timed_words(loaded),
        provenance=loaded.provenance,
    )


def _row(row: Malformed) -> dict[str, JSON]:
    return {"source": row.source, "row": row.row, "reason": row.reason}


def _expected(loaded: Loaded, counts: Mapping[str, int]) -> int | None:
    """Of published ``counts`` by split that of the splits that were read, as file names or the settings say."""
    files = loaded.provenance.get("files")
    names = [str(file["name"]) for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    said = [{split for split in counts if names_split(name.rsplit("/", 1)[-1], split)} for name in names]
    if said and all(said):
        return sum(counts[split] for split in set[str]().union(*said))
    if len(counts) == 1:
        return next(iter(counts.values()))
    return counts.get(str(loaded.provenance.get("split")))


def _repeated(items: Sequence[Item]) -> list[list[str]]:
    groups = dict[object, list[str]]()
    for item in items:
        sample = item.sample
        said = (item.video_id, sample.question, sample.choices, sample.target, sample.target_spans)
        groups.setdefault(said, []).append(sample.id)
    return [ids for ids in groups.values() if len(ids) > 1]


def _conflicts(items: Sequence[Item]) -> list[list[str]]:
    """The same is asked of the same video, whatever the order of the options, and the answers differ. One moment of
    several may be the gold of each row: spans are left out."""
    groups = dict[object, dict[str, str]]()
    for item in items:
        sample = item.sample
        if item.kind == "span" or not sample.target:
            continue
        answer = sample.choices[LETTERS.index(sample.target)] if item.kind == "choice" else sample.target.casefold()
        said = (item.video_id, item.clip, sample.question, tuple(sorted(sample.choices)))
        groups.setdefault(said, {})[sample.id] = answer
    return [[*answers] for answers in groups.values() if len(set(answers.values())) > 1]


def _timed_words(loaded: Loaded) -> list[str]:
    """Ids of answers in words that may be times, where the rows say what kind they are of."""
    found = list[str]()
    for item in loaded.items if loaded.spec.kind == "any" else ():
        target = item.sample.target or ""
        try:
            if item.kind == "text" and "," not in target and read_spans(target):
                found.append(item.sample.id)
        except FieldError:
            continue
    return found


def _is_outside(item: Item, opened: Mapping[str, _Opened]) -> bool:
    video = opened.get(item.sample.video)
    return video is not None and any(
        span.end > video.duration_seconds + _OVER_SECONDS for span in item.sample.target_spans
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    duration_seconds: float
    has_subtitles: bool


def _opened(
    paths: Sequence[str],
    frame_fps: float | None,
    num_threads: int,
    deadline_seconds: float,
    isolate: bool,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, str], dict[str, _Opened]]:
    """What cannot be decoded and why, and what the rest is like."""

    def open_one(path: str) -> _Opened:
        video = Video.open(path, deadline_seconds=deadline_seconds, isolate=isolate, frame_fps=frame_fps)
        video.frames_at([0.0], max_pixels=_CHECK_PIXELS)  # says so where a file hangs, which check() lets pass
        video.check()
        return _Opened(video.info.duration_seconds, "subtitles" in TimedText(video, ocr=False).sources())

    wrong, found = dict[str, str](), dict[str, _Opened]()
    with ThreadPoolExecutor(max(1, num_threads)) as pool:
        waiting = {pool.submit(open_one, path): path for path in paths}
        for done, future in enumerate(as_completed(waiting), start=1):
            try:
                found[waiting[future]] = future.result()
            except VideoError as e:
                wrong[waiting[future]] = str(e)
            if on_progress is not None:
                on_progress(done, len(paths))
    return dict(sorted(wrong.items())), found
