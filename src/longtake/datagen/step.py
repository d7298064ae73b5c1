"""What a recipe is made of: steps, the records that pass through them, and what a step may do while it works.

Plain values and protocols; running them is in `pipeline`, keeping what came out in `store`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, TypeVar

from pydantic import ValidationError

from ..errors import StoreError
from ..store import digest
from ..types import JSON, Model, Usage, adapter_of
from ..video.decode import Video

__all__ = ["Context", "Outcome", "Record", "Status", "Step", "Value", "value_digest"]

T = TypeVar("T")
Value: TypeAlias = Mapping[str, JSON]
Status: TypeAlias = Literal["ok", "rejected", "invalid", "failed"]
"""``ok``: values came out (perhaps none). ``rejected``: dropped for a reason that is a result. ``invalid``: what the
model wrote cannot be used, after all repairs. ``failed``: an error; tried again in the next run unless permanent."""


@dataclass(frozen=True)
class Record:
    """One value on its way. ``id`` is readable and unique within its step (``film/0003``), ``video`` the id of the
    source it comes from, ``parents`` the records it was made of, ``digest`` names its content, ``id`` and theirs."""

    step: str
    id: str
    video: str
    digest: str
    parents: tuple[Record, ...]
    value: Value

    def read(self, cls: type[T]) -> T:
        """``value`` as a ``cls``. Raises `StoreError` when it is not one."""
        try:
            return adapter_of(cls).validate_python(dict(self.value))
        except ValidationError as e:
            raise StoreError(f"the record {self.step} {self.id} is not a {cls.__name__}: {e}") from e

    def find(self, step: str) -> Record:
        """The nearest ancestor (or itself) that ``step`` made. Raises `StoreError` if there is none."""
        record: Record | None = self
        while record is not None:
            if record.step == step:
                return record
            record = record.parents[0] if record.parents else None
        raise StoreError(f"the record {self.step} {self.id} does not come from a step {step!r}")


class Context(Protocol):
    """What a step may use beside its records."""

    @property
    def folder(self) -> Path:
        """Where files the step makes beside its values go (clips); in the run's folder."""
        ...

    def journaled(self, model: Model) -> Model:
        """``model`` for this record: every reply is kept the moment it comes, and said again after a restart, so a
        step of many calls never pays for one twice. All calls of a step go through it."""
        ...

    async def open(self, source: Record) -> Video:
        """The video a ``source`` record names; opened once and shared."""
        ...

    async def in_thread(self, work: Callable[[], T]) -> T:
        """``work()`` in a thread; decoding and other heavy work, bounded to the number of cores."""
        ...


StepFn: TypeAlias = Callable[[tuple[Record, ...], Context], Awaitable[Sequence[Value]]]


@dataclass(frozen=True, slots=True)
class Step:
    """``run`` makes values out of one record, or with ``gathers`` out of all records of a video that are left.

    ``config`` is all that decides the result beside the records: settings, digests of prompts, identities of models.
    ``version`` is counted up when ``run`` changes what it makes. ``run`` raises `RejectedError` to drop the record,
    `FormatError` when what a model wrote cannot be used; a `VideoDecodeError` or a refused request fails it for good,
    any other `VideoError` or `ModelError` until the next run. A step makes one value, or with ``many`` any number."""

    name: str
    version: int
    config: Value
    run: StepFn
    gathers: bool = False
    many: bool = False
    forgets: bool = False
    """What it makes is the same whatever it was made of: a video that was touched, not changed, makes nothing anew."""
    check: Callable[[Collection[str]], None] | None = None
    """Is shown the paths and ids of all videos before anything is spent; raises `ConfigError` if one is missing."""

    @property
    def hash(self) -> str:
        """16 hex digits; in the name of the step's folder and in every key."""
        return digest([self.name, self.version, dict(self.config), self.gathers, self.many])[:16]

    def id_of(self, inputs: tuple[Record, ...], number: int) -> str:
        base = inputs[0].video if self.gathers else inputs[0].id
        return f"{base}/{number:04d}" if self.many else base


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one input of a step ended. ``values`` came out of it (only if ok); ``reason`` says why not.

    ``permanent``: a failure that trying again cannot mend. ``usage`` is what its model calls cost, ``seconds`` their
    time and that of decoding."""

    status: Status
    values: tuple[Value, ...] = ()
    reason: str | None = None
    permanent: bool = False
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


def value_digest(id_: str, value: Value, parents: Sequence[str] = ()) -> str:
    """32 hex digits. ``parents`` are the digests of what it was made of: a step may read those too."""
    return digest([id_, dict(value), *parents])[:32]
