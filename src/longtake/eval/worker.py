"""Answers questions one by one wherever it is: what is known is read back, what is not is asked and kept at once."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from ..agents.light import light
from ..agents.loop import already, run
from ..errors import (
    ConfigError,
    LongtakeError,
    MissingExtraError,
    ModelAuthError,
    ModelConnectionError,
    ModelEndpointError,
    ModelRequestError,
    SpendCapError,
    StoreError,
    VideoError,
)
from ..models.journaled import Account, JournaledModel, Limits, StoppingError, key_of
from ..scoring.judge import Judge
from ..store import digest
from ..types import JSON, Sample, Trace, Usage
from ..video.decode import Video
from .contestant import Contestant, no_video
from .data.benchmark import Spec
from .grade import grade, is_judged
from .items import Graded, Item
from .judging import Judging, bare, keep_judge_failure
from .store import Ended, EvalStore, FailedBy

__all__ = ["EvalTally", "EvalWorker", "Task", "who_digest"]

log = logging.getLogger(__name__)

MAX_FAILED_IN_A_ROW = 20
"""So many questions in a row to which no reply came mean that the endpoint is broken."""
MAX_OPEN_VIDEOS = 64
_ENDS_ALL = (ConfigError, MissingExtraError, ModelAuthError, ModelEndpointError, SpendCapError, StoreError)
"""Wrong for every question, not for this one."""
_FORM = 1
"""Counted up when the agent is run in another way: answers from before are not the same."""


def who_digest(who: Contestant, use_text: bool) -> str:
    """Names all that decides answers beside the questions."""
    return digest([_FORM, who.identity, use_text])[:32]


@dataclass(frozen=True, slots=True)
class Task:
    """A question in one epoch; from 0."""

    item: Item
    epoch: int


@dataclass(slots=True)
class EvalTally:
    """How far it is. ``value`` is the sum of the headline column's scores over ``verdicts``; ``spent`` is what this
    process paid."""

    done: int = 0
    verdicts: int = 0
    value: float = 0.0
    causes: dict[str, int] = field(default_factory=dict[str, int])
    spent: Usage = field(default_factory=Usage)
    judge_failure: str | None = None
    refused_request: str | None = None
    """The last error of an endpoint that was reached and refused a request."""

    def add(self, graded: Graded, headline: str) -> None:
        self.done += 1
        score = graded.scores.get(headline)
        if score is not None and score.value is not None:
            self.verdicts += 1
            self.value += score.value
        else:
            cause = graded.why_not(headline)
            self.causes[cause] = self.causes.get(cause, 0) + 1

    @classmethod
    def sum(cls, parts: list[Mapping[str, Any]]) -> EvalTally:
        """From several `asdict`."""
        total = cls()
        for part in parts:
            total.done += part["done"]
            total.verdicts += part["verdicts"]
            total.value += part["value"]
            for cause, count in part["causes"].items():
                total.causes[cause] = total.causes.get(cause, 0) + count
            total.spent += Usage(**part["spent"])
            total.judge_failure = total.judge_failure or part["judge_failure"]
            total.refused_request = part["refused_request"] or total.refused_request
        return total


class _Gate:
    """``calls`` bounds one model's calls; what may be spent is the worker's to say."""

    def __init__(self, worker: EvalWorker, in_flight: int) -> None:
        self._worker = worker
        self.calls = asyncio.Semaphore(in_flight)

    def begin(self) -> None:
        if self._worker.stopping is not None:
            raise StoppingError
        self._worker.limits.check(self._worker.tally.spent)

    def spend(self, usage: Usage) -> None:
        self._worker.tally.spent += usage


class EvalWorker:
    """A `Worker` (see `compute`) whose items are `Task`s. `run` raises what ends the evaluation as a whole: a full
    disk, a refused key, an endpoint that is gone."""

    def __init__(
        self,
        who: Contestant,
        spec: Spec,
        store: EvalStore,
        *,
        headline: str,
        judge: Judge | None = None,
        judge_in_flight: int = 16,
        limits: Limits | None = None,
        use_text: bool = True,
        deadline_seconds: float = 60.0,
        isolate: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.tally = EvalTally()
        self.stopping: LongtakeError | None = None
        self._who, self._spec, self._store = who, spec, store
        self._headline = headline
        self._identity = who_digest(who, use_text)
        self._gate = _Gate(self, self.limits.max_in_flight)
        gate = _Gate(self, judge_in_flight)
        self._judging = None if judge is None else Judging(judge, store.judgements, gate)
        self._open = partial(
            Video.open,
            deadline_seconds=deadline_seconds,
            isolate=isolate,
            use_text=use_text,
            frame_fps=spec.frame_fps or 3.0,
        )
        self._videos = OrderedDict[tuple[str, str | None], asyncio.Task[Video]]()
        self._marks = dict[tuple[str, str | None], str]()
        self._turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._failed_in_a_row = 0
        self._seats = asyncio.Semaphore(self.limits.max_in_flight)
        """Questions that an agent is at work on at once: each holds its frames. What is judged holds none."""

    async def run(self, item: Task) -> None:
        ended = None
        try:
            async with self._seats:
                if self.stopping is None:
                    ended = await self._ended(item)
            if ended is not None:
                await self._grade(item, ended)
        except StoppingError:
            return
        except _ENDS_ALL as e:
            self.stopping = self.stopping or e
        if self.stopping is not None and not isinstance(self.stopping, SpendCapError):
            raise type(self.stopping)(str(self.stopping)) from self.stopping

    def progress(self) -> Mapping[str, Any]:
        return asdict(self.tally)

    def num_kept(self) -> int:
        return self._store.num_kept

    def refresh(self) -> None:
        self._store.refresh()

    def stop(self) -> None:
        self.stopping = self.stopping or SpendCapError("the spend cap is reached")

    def close(self) -> None:
        for opened in self._videos.values():
            opened.cancel()
        self._store.close()

    async def _grade(self, task: Task, ended: Ended) -> None:
        item, judging, verdict = task.item, self._judging, None
        if judging is not None and is_judged(item, ended):
            verdict = await judging.score(item, ended)
            self._watch_judge(judging)
        args = (item, task.epoch, ended, self._spec, verdict)
        graded = await asyncio.to_thread(grade, *args, has_judge=judging is not None)
        self.tally.add(graded, self._headline)

    async def _ended(self, task: Task) -> Ended:
        """How the question ended: as it is known, or now. What failed before is tried again."""
        sample = task.item.sample
        if lacking := self._who.lacks(task.item):
            return self._failed(task, "gold", lacking)
        if self._who.needs_video and not sample.video:
            return self._failed(
                task, "video", f"there is no video {task.item.video_name!r} in the folder of the videos"
            )
        try:
            video = await self._video(sample.video, sample.subtitles)
            asked = await asyncio.to_thread(self._asked, task, video)
        except VideoError as e:
            return self._failed(task, "video", _told(e))
        key = key_of(self._identity, [*asked, sample.id])
        known = self._store.find(key)
        if known is not None:
            self._store.point(self._identity, key, known)
            return known
        account = Account(key_of(self._identity, asked), f"{sample.id}/{task.epoch}")
        agent, model, config = self._who.ready(
            task.item, lambda model: JournaledModel(model, self._store.calls, self._gate, account), task.epoch
        )
        agent = light(agent, bare(self._who.model))
        try:
            async with self._turns[account.key]:  # who asks just the same finds the replies
                trace = await run(agent, model, sample, config=config, open_video=already(video))
        except VideoError as e:
            return self._failed(task, "video", _told(e))
        if trace.stop_reason != "model_error":
            self._failed_in_a_row = 0
            ended = Ended(sample.id, task.epoch, "ended", None, trace.error, trace)
            self._store.put(key, ended)
            self._store.point(self._identity, key, ended)
            return ended
        if isinstance(account.error, ModelAuthError | ModelEndpointError):
            raise account.error
        if isinstance(account.error, ModelRequestError):  # too long, say: the endpoint is there, others may be answered
            self._failed_in_a_row, self.tally.refused_request = 0, trace.error
            return self._failed(task, "request", trace.error, trace)
        self._watch(trace)
        return self._failed(task, "transport", trace.error, trace)

    def _failed(self, task: Task, cause: FailedBy, error: str | None, trace: Trace | None = None) -> Ended:
        failed = Ended(task.item.sample.id, task.epoch, "failed", cause, error, trace)
        self._store.fail(self._identity, failed)
        return failed

    def _asked(self, task: Task, video: Video) -> list[str]:
        """All that decides the answer but who gives it; of the gold only what the agent is given."""
        sample = task.item.sample
        asked: list[JSON] = [sample.question, [*sample.choices], video.info.fingerprint, self._words(video, sample)]
        return [digest([*asked, self._who.given(task.item)]), str(task.epoch)]

    def _words(self, video: Video, sample: Sample) -> str:
        """`Contestant.words`, read once: many questions are asked about a video."""
        asked = (sample.video, sample.subtitles)
        if asked not in self._marks:
            self._marks[asked] = self._who.words(video)
        return self._marks[asked]

    async def _video(self, uri: str, subtitles: str | None) -> Video:
        if not self._who.needs_video:
            return no_video(uri)
        key = (uri, subtitles)
        if key not in self._videos:
            opening = asyncio.to_thread(self._open, uri, subtitles=subtitles)
            self._videos[key] = asyncio.ensure_future(opening)
            while len(self._videos) > MAX_OPEN_VIDEOS:
                self._videos.popitem(last=False)
        self._videos.move_to_end(key)
        try:
            return await asyncio.shield(self._videos[key])
        except VideoError:  # perhaps it is there the next time
            self._videos.pop(key, None)
            raise

    def _watch(self, trace: Trace) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= MAX_FAILED_IN_A_ROW:
            self.stopping = self.stopping or ModelConnectionError(
                f"{MAX_FAILED_IN_A_ROW} questions in a row got no reply, so the run stops; the last error:"
                f" {trace.error}. What was answered is kept: mend it and run the same command again"
            )

    def _watch_judge(self, judging: Judging) -> None:
        failure = judging.judge.canaries.failure
        if failure is not None and self.tally.judge_failure != failure:
            keep_judge_failure(self._store.root, judging.judge)
        self.tally.judge_failure = failure or judging.unreachable


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
