"""A run of a recipe in a folder: begun, or taken up where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..compute import Compute, Local, Progress
from ..errors import SpendCapError, StoreError
from ..ledger import Fsync
from ..models.journaled import Limits
from ..models.preflight import check_prices, preflight
from ..store import locked
from ..types import JSON, Model
from .audit import open_run, spent, status
from .manifest import Manifest, known_roots, write_manifest
from .pipeline import Runner
from .recipe import DataSettings, Models, build_steps, recipe_settings
from .scripts.commands import SeedCommand
from .sources import list_videos, root_of
from .store import RunStore, roots_of
from .tally import Tally

__all__ = ["OnTally", "make", "run_command"]

OnTally = Callable[[Tally], None]


def _absolute(path: Path) -> Path:
    """Workers may be started in another folder."""
    return path.absolute()


@dataclass(frozen=True, slots=True)
class _Plan:
    """Makes the worker of a run, in whatever process; pickles."""

    out: Path
    videos: Path
    settings: DataSettings
    limits: Limits
    fsync: Fsync

    def __call__(self) -> Runner:
        if not self.videos.is_dir():
            raise StoreError(f"the folder of videos {self.videos} is not there; mount it, or give another --videos")
        steps = build_steps(self.settings, Models(self.settings, max_in_flight=self.limits.max_in_flight))
        return Runner(steps, RunStore(self.out, fsync=self.fsync), videos=self.videos, limits=self.limits)


async def make(
    settings: DataSettings,
    videos: Path,
    out: Path,
    *,
    compute: Compute | None = None,
    limits: Limits | None = None,
    fsync: Fsync = "group",
    change: bool = False,
    on_tally: OnTally | None = None,
) -> list[str]:
    """Runs the recipe on every video in ``videos`` with ``out`` as the run's folder, or goes on where it stopped.

    ``change`` allows other settings than it was begun with. Gives back the ids of videos that killed their worker
    again and again. Raises `ConfigError`, `StoreError`, `SpendCapError`, or the `ModelError` of an endpoint that is
    not there; what was finished by then is kept."""
    limits, out = limits or Limits(), _absolute(out)
    models = Models(settings)
    steps = build_steps(settings, models)
    roots = list_videos(videos, known_roots(out))
    folder = root_of(videos)
    names = {name for root in roots for name in (root.id, str(root.value["video"]))}
    for step in steps:
        if step.check is not None:
            step.check(names)
    check_prices(limits, models.used.values())
    await preflight(dict.fromkeys(models.used.values()))
    store = RunStore(out, fsync=fsync)
    with locked(out):
        manifest = Manifest.of(_asked(settings, models), steps, roots, folder, _endpoints(models))
        write_manifest(out, manifest, roots, change=change)
        store.write_specs(steps)
        if limits.max_cost_usd is not None or limits.max_tokens is not None:
            limits = replace(limits, spent_before=spent(out))
        watch = _Watch([step.name for step in steps], limits, on_tally)
        plan = _Plan(out, folder, settings, limits, fsync)
        given_up = await (compute or Local()).map(plan, roots, watch)
    if watch.stopped is not None and not (await status(open_run(out))).is_complete:
        raise watch.stopped
    return [root.id for root in given_up]


async def run_command(
    command: SeedCommand,
    out: Path,
    *,
    model: Model | None = None,
    limits: Limits | None = None,
    on_tally: OnTally | None = None,
) -> list[Path]:
    """Runs one of LongVideo-Reason's six commands with ``out`` as its folder for resuming; the files it wrote.

    ``model`` is the one its steps ask. What did not come out well is in the status of the run. Raises as `make`."""
    roots = roots_of(command.roots)
    await preflight([model] if model is not None else [])
    store = RunStore(out)
    with locked(out):
        asked: dict[str, JSON] = {"recipe": command.name}
        write_manifest(out, Manifest.of(asked, command.steps, roots, command.videos, {}), roots, change=True)
        store.write_specs(command.steps)
        watch = _Watch([step.name for step in command.steps], limits or Limits(), on_tally)
        await Local().map(lambda: Runner(command.steps, store, videos=command.videos, limits=limits), roots, watch)
        return command.write(await open_run(out).leaves(), out)


class _Watch:
    """Adds up the progress of all workers, and has them stop at the spend cap."""

    def __init__(self, steps: Sequence[str], limits: Limits, on_tally: OnTally | None) -> None:
        self.stopped: SpendCapError | None = None
        self._steps, self._limits, self._on_tally = steps, limits, on_tally

    def __call__(self, progress: Progress) -> bool:
        """Whether to go on beginning new work."""
        lost = Tally.sum(self._steps, progress.lost)
        tally = Tally.sum(self._steps, progress.now)
        tally.spent += lost.spent
        if self._on_tally is not None:
            self._on_tally(tally)
        try:
            self._limits.check(tally.spent)
        except SpendCapError as e:
            self.stopped = self.stopped or e
        return self.stopped is None


def _asked(settings: DataSettings, models: Models) -> Mapping[str, JSON]:
    return {
        "recipe": settings.recipe,
        "settings": recipe_settings(settings).model_dump(mode="json"),
        "models": models.identities(),
    }


def _endpoints(models: Models) -> Mapping[str, str]:
    """Role -> address, which holds no key."""
    return {role: str(getattr(model, "base_url", "in this process")) for role, model in models.used.items()}
