"""The engine on steps of its own: order, outcomes, resuming, replies kept, stopping."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from longtake.compute import Local, Progress
from longtake.datagen.audit import OpenRun, Verdict, in_doubt, spent, status, verify
from longtake.datagen.flow import flow, known
from longtake.datagen.manifest import Manifest, known_roots, read_manifest, read_roots, write_manifest
from longtake.datagen.pipeline import MAX_FAILED_IN_A_ROW, Runner
from longtake.datagen.step import Context, Record, Step, Value
from longtake.datagen.store import RunStore, roots_of
from longtake.datagen.tally import Tally
from longtake.errors import (
    ConfigError,
    FormatError,
    ModelAuthError,
    ModelConnectionError,
    ModelEndpointError,
    ModelReplyError,
    ModelRequestError,
    ModelTimeoutError,
    RejectedError,
    SpendCapError,
    StoreError,
    VideoDecodeError,
    VideoNotFoundError,
)
from longtake.ledger import Fsync
from longtake.models.journaled import Limits
from longtake.store import is_locked, locked
from longtake.types import JSON, GenerateConfig, Message, ModelOutput, Usage


class Counting:
    """A model that says the request back, a little later, and counts; ``fails`` are raised first, one a call."""

    name = "counting"

    def __init__(self, *fails: Exception, seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self.fails = list(fails)
        self.seconds = seconds
        self.in_flight = self.max_in_flight = 0

    async def generate(
        self, messages: Sequence[Message], *, tools: Sequence[object], config: GenerateConfig
    ) -> ModelOutput:
        text = messages[-1].text
        self.asked.append(text)
        self.in_flight += 1
        self.max_in_flight = max(self.in_flight, self.max_in_flight)
        await asyncio.sleep(self.seconds * random.random())
        self.in_flight -= 1
        if self.fails:
            raise self.fails.pop(0)
        return ModelOutput(Message("assistant", (f"said {text}",)), self.name, usage=Usage(1, 10, 5, 0, 0.25))


async def ask(ctx: Context, model: Counting, text: str) -> str:
    config = GenerateConfig()
    output = await ctx.journaled(model).generate([Message("user", (text,))], tools=(), config=config)
    return output.text


def steps_with(model: Counting) -> list[Step]:
    """split (many) -> say -> join (gathers) -> twice (two calls)."""

    async def split(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        value = records[0].value
        if value.get("bad"):
            raise VideoDecodeError("it is broken")
        return [{"part": n} for n in range(int(str(value["parts"])))]

    async def say(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        if records[0].value["part"] == 3:
            raise RejectedError("threes are not wanted")
        return [{"said": await ask(ctx, model, records[0].id)}]

    async def join(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"all": [record.value["said"] for record in records]}]

    async def twice(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        said = await asyncio.gather(*(ask(ctx, model, f"{records[0].video} twice") for _ in range(2)))
        return [{"twice": list(said), "parts": records[0].find("split").value["part"]}]

    return [
        Step("split", 1, {}, split, many=True),
        Step("say", 1, {"model": "counting"}, say),
        Step("join", 1, {}, join, gathers=True),
        Step("twice", 1, {}, twice),
    ]


def roots(*parts: int) -> list[Record]:
    return roots_of([(f"v{n}", f"v{n}", {"parts": count}) for n, count in enumerate(parts)])


def run(steps: list[Step], folder: Path, items: list[Record], limits: Limits | None = None) -> Tally:
    last: list[Progress] = []

    def look(progress: Progress) -> bool:
        last.append(progress)
        return True

    async def go() -> None:
        await Local().map(lambda: Runner(steps, RunStore(folder), limits=limits), items, look)

    try:
        asyncio.run(go())
    finally:
        tally = Tally.sum([step.name for step in steps], last[-1].now)
    return tally


def leaves(steps: list[Step], folder: Path, items: list[Record]) -> list[Value]:
    async def go() -> list[Value]:
        apply = known(RunStore(folder).steps(steps), lambda *_: None)
        return [leaf.value for item in items for leaf in (await flow(apply, steps, [item]))[0]]

    return asyncio.run(go())


def opened(folder: Path, steps: list[Step], items: list[Record]) -> OpenRun:
    store = RunStore(folder)
    store.write_specs(steps)
    told = Manifest.of({"recipe": "toy"}, steps, items, folder, {})
    return OpenRun(folder, told, steps, items, store.steps(steps))


def test_records_keep_their_order_whatever_ends_first_and_are_done_once(tmp_path: Path) -> None:
    model = Counting(seconds=0.02)
    steps, items = steps_with(model), roots(5, 1, 12)
    tally = run(steps, tmp_path, items)
    first = leaves(steps, tmp_path, items)
    assert [value["twice"] for value in first] == [[f"said v{n} twice"] * 2 for n in range(3)]
    joined = json.loads((next(iter((tmp_path / "steps").glob("*join*/journal/*.jsonl"))).read_text()).splitlines()[0])
    assert joined["values"][0]["all"] == sorted(joined["values"][0]["all"])
    assert (tally.steps["say"].ok, tally.steps["say"].rejected, tally.num_videos) == (16, 2, 3)
    assert len(model.asked) == 16 + 6
    assert tally.spent == Usage(22, 220, 110, 0, 5.5)
    again = run(steps, tmp_path, items)
    assert len(model.asked) == 22
    assert again.spent == Usage()
    assert again.steps["say"].done == 18
    assert leaves(steps, tmp_path, items) == first


def test_several_roots_may_be_of_one_video(tmp_path: Path) -> None:
    """As two replies about a film are to `longtake data parse`."""
    steps = steps_with(Counting(seconds=0.01))
    items = roots_of([(f"film_q{n}", "film", {"parts": n}) for n in range(1, 6)])
    tally = run(steps, tmp_path, items)
    assert (tally.num_videos, tally.steps["split"].ok) == (5, 5)


def test_the_same_request_twice_in_a_record_is_two_calls_and_each_is_kept(tmp_path: Path) -> None:
    model = Counting()
    run(steps_with(model), tmp_path, roots(1))
    assert model.asked == ["v0/0000", "v0 twice", "v0 twice"]


def test_outcomes_are_kept_apart_and_one_bad_video_stops_no_other(tmp_path: Path) -> None:
    model = Counting(FormatError("cannot be read"), ModelRequestError("too long"), ModelConnectionError("gone"))
    items = [*roots_of([("bad", "bad", {"bad": True})]), *roots(6)]
    steps = steps_with(model)
    limits = Limits(max_in_flight=1)
    tally = run(steps, tmp_path, items, limits)
    said = tally.steps["say"]
    assert (said.ok, said.rejected, said.invalid, said.failed) == (2, 1, 1, 2)
    assert tally.steps["split"].failed == 1
    assert tally.steps["join"].done == 0
    found = asyncio.run(status(opened(tmp_path, steps, items)))
    by_name = {step.name: step for step in found.steps}
    assert (by_name["say"].to_retry, by_name["split"].to_retry, by_name["join"].pending) == (1, 0, 0)
    assert not found.is_complete
    assert by_name["split"].reasons == {"VideoDecodeError: it is broken": 1}
    asked = len(model.asked)
    tally = run(steps, tmp_path, items, limits)
    assert len(model.asked) == asked + 1 + 2
    assert (tally.steps["say"].failed, tally.steps["join"].ok) == (1, 1)
    assert leaves(steps, tmp_path, items)[0]["twice"] == ["said v0 twice"] * 2
    run(steps, tmp_path, items, Limits(retry_failed=True))
    assert len(model.asked) == asked + 3 + 1 + 2
    assert asyncio.run(verify(opened(tmp_path, steps, items))).wrong == []


def test_a_changed_step_is_done_anew_and_what_it_does_not_touch_is_not(tmp_path: Path) -> None:
    model = Counting()
    steps = steps_with(model)
    run(steps, tmp_path, roots(2))
    steps[3] = Step("twice", 2, {}, steps[3].run)
    run(steps, tmp_path, roots(2))
    assert model.asked == ["v0/0000", "v0/0001", "v0 twice", "v0 twice", "v0 twice", "v0 twice"]
    assert len(list((tmp_path / "steps").glob("*twice*"))) == 2


def test_what_was_made_from_something_else_is_made_anew_though_it_looks_the_same(tmp_path: Path) -> None:
    """The step "join" makes the same value of the same replies, but "twice" may read the parts they came from."""
    model = Counting()

    async def plan(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"number": 1}]

    async def tell(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"told": await ask(ctx, model, str(records[0].find("split").value["part"]))}]

    async def split(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"part": str(records[0].value["parts"])}]

    steps = [Step("split", 1, {}, split), Step("plan", 1, {}, plan), Step("tell", 1, {}, tell)]
    run(steps, tmp_path, roots(7))
    run(steps, tmp_path, roots(8))
    assert model.asked == ["7", "8"]
    assert leaves(steps, tmp_path, roots(8)) == [{"told": "said 8"}]


def test_replies_of_a_record_that_did_not_end_are_not_paid_again(tmp_path: Path) -> None:
    model = Counting()
    crash = [True]

    async def two(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        said = [await ask(ctx, model, "first")]
        if crash.pop() if crash else False:
            raise ModelConnectionError("gone")
        return [{"said": [*said, await ask(ctx, model, "second")]}]

    steps = [Step("two", 1, {}, two)]
    run(steps, tmp_path, roots(1))
    tally = run(steps, tmp_path, roots(1))
    assert model.asked == ["first", "second"]
    assert tally.steps["two"].usage.num_calls == 2
    assert spent(tmp_path).num_calls == 2


def test_in_flight_is_bounded(tmp_path: Path) -> None:
    model = Counting(seconds=0.01)
    run(steps_with(model), tmp_path, roots(*[9] * 10), Limits(max_in_flight=4))
    assert model.max_in_flight == 4  # though the step "twice" makes two calls at once


@pytest.mark.parametrize("cap", [Limits(4, max_cost_usd=2.0), Limits(4, max_tokens=120)])
def test_the_cap_stops_the_calls_and_keeps_what_was_done(tmp_path: Path, cap: Limits) -> None:
    model = Counting()
    steps = steps_with(model)
    with pytest.raises(SpendCapError, match="to go on"):
        cap.check(Usage(50, 100, 50, 0, 3.0))
    tally = run(steps, tmp_path, roots(40), cap)
    assert 8 <= len(model.asked) <= 12
    assert tally.steps["say"].done <= 13
    assert tally.steps["say"].failed == 0
    run(steps, tmp_path, roots(40))
    assert len(model.asked) == 39 + 2


def test_what_ends_a_run_is_raised_and_nothing_is_lost(tmp_path: Path) -> None:
    model = Counting(ModelAuthError("the key is wrong"))
    with pytest.raises(ModelAuthError, match="key"):
        run(steps_with(model), tmp_path, roots(4), Limits(1))
    run(steps_with(model), tmp_path, roots(4))
    assert len(model.asked) == 1 + 3 + 2


def test_a_step_that_only_fails_ends_the_run(tmp_path: Path) -> None:
    model = Counting(*[ModelConnectionError("nobody there")] * 100)
    with pytest.raises(ModelConnectionError, match=r"in a row failed in step say.*nobody there.*run the same command"):
        run(steps_with(model), tmp_path, roots(100))
    assert len(model.asked) < MAX_FAILED_IN_A_ROW + 64


def test_calls_under_way_end_and_are_kept_when_the_run_ends(tmp_path: Path) -> None:
    class Late(Counting):
        async def generate(
            self, messages: Sequence[Message], *, tools: Sequence[object], config: GenerateConfig
        ) -> ModelOutput:
            if messages[-1].text == "v0/0000":
                await asyncio.sleep(0.05)
                raise ModelEndpointError("no credit left")
            await asyncio.sleep(0.2)
            return await super().generate(messages, tools=tools, config=config)

    model = Late()
    with pytest.raises(ModelEndpointError, match="no credit"):
        run(steps_with(model), tmp_path, roots(3, 3), Limits(4))
    assert len(model.asked) == 3, "of four calls under way one failed; nothing was begun after that"
    again = Counting()
    run(steps_with(again), tmp_path, roots(3, 3))
    assert len([text for text in again.asked if "twice" not in text]) == 6 - 3


def test_single_refused_requests_do_not_end_the_run_and_an_unmounted_folder_is_not_for_good(tmp_path: Path) -> None:
    model = Counting()

    async def some(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        if records[0].value["part"] == 0:
            return [{"said": await ask(ctx, model, records[0].id)}]
        raise ModelRequestError("too long") if records[0].value["part"] != 1 else VideoNotFoundError("unmounted")

    steps = [steps_with(model)[0], Step("some", 1, {}, some)]
    tally = run(steps, tmp_path, roots(60), Limits(1))
    assert (tally.steps["some"].ok, tally.steps["some"].failed) == (1, 59)
    found = asyncio.run(status(opened(tmp_path, steps, roots(60))))
    assert found.steps[1].to_retry == 1


def test_a_value_that_cannot_be_stored_fails_that_record(tmp_path: Path) -> None:
    async def odd(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        return [{"text": "half an emoji \ud83d"}]

    tally = run([Step("odd", 1, {}, odd)], tmp_path, roots(1, 1))
    assert tally.steps["odd"].failed == 2


def test_a_video_opens_again_after_it_could_not_be(tmp_path: Path) -> None:
    async def look(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        await ctx.open(records[0])
        return [{}]

    items = roots_of([("v", "v", {"video": "v.mp4"})])
    assert run([Step("look", 1, {}, look)], tmp_path, items).steps["look"].failed == 1
    assert run([Step("look", 1, {}, look)], tmp_path, items).steps["look"].failed == 1


def test_what_cannot_be_used_is_paid_and_counted(tmp_path: Path) -> None:
    wasted = ModelReplyError("an error message")
    wasted.spent = Usage(1, 100, 100, 0, 1.0)
    steps = steps_with(Counting(wasted, ModelTimeoutError("no reply")))
    tally = run(steps, tmp_path, roots(2), Limits(1))
    assert tally.spent == Usage(1, 100, 100, 0, 1.0)
    assert spent(tmp_path) == tally.spent
    book = opened(tmp_path, steps, roots(2))
    assert [call.record for call in in_doubt(book)] == ["v0/0001"], "who was waited for in vain may have worked"


@pytest.mark.parametrize(("fsync", "least"), [("group", 1), ("always", 30)])
def test_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: Fsync, least: int) -> None:
    told, real = list[int](), os.fsync

    def counted(handle: int) -> None:
        told.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", counted)
    asyncio.run(Local().map(lambda: Runner(steps_with(Counting()), RunStore(tmp_path, fsync=fsync)), roots(9), on))
    assert len(told) >= least


def test_a_disk_that_does_not_take_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        run(steps_with(Counting()), tmp_path, roots(1))


def on(progress: Progress) -> bool:
    return True


def test_bad_videos_in_a_row_do_not_end_the_run(tmp_path: Path) -> None:
    items = roots_of([(f"bad{n}", f"bad{n}", {"bad": True}) for n in range(MAX_FAILED_IN_A_ROW + 5)])
    tally = run(steps_with(Counting()), tmp_path, items)
    assert tally.steps["split"].failed == len(items)


def test_an_unforeseen_error_is_kept_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = [True]

    async def odd(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        if broken:
            raise KeyError(broken.pop())
        return [{}]

    steps = [Step("odd", 1, {}, odd)]
    assert run(steps, tmp_path, roots(1)).steps["odd"].failed == 1
    assert "KeyError" in caplog.text
    assert run(steps, tmp_path, roots(1)).steps["odd"].ok == 1


def test_a_full_disk_ends_the_run_with_what_to_do(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    store = RunStore(tmp_path)
    steps = steps_with(Counting())
    journal = store.steps(steps)["say"].outcomes
    journal._out = os.open(full, os.O_WRONLY)  # pyright: ignore[reportPrivateUsage]

    async def go() -> None:
        await Local().map(lambda: Runner(steps, store), roots(3), lambda _: True)

    with pytest.raises(StoreError, match=r"No space left.*make room and run the same command again"):
        asyncio.run(go())
    tally = run(steps, tmp_path, roots(3))
    assert tally.steps["say"].ok == 3


@pytest.mark.parametrize("where", ["say", "twice"])
def test_verify_finds_what_was_tampered_with_and_it_is_done_again(tmp_path: Path, where: str) -> None:
    model = Counting()
    steps, items = steps_with(model), roots(3)
    run(steps, tmp_path, items)
    assert asyncio.run(verify(opened(tmp_path, steps, items))) == Verdict([], [])
    before = leaves(steps, tmp_path, items)
    journal = next((tmp_path / "steps").glob(f"*-{where}@*/journal/*.jsonl"))
    journal.write_bytes(journal.read_bytes().replace(b"said", b"sold", 1))
    verdict = asyncio.run(verify(opened(tmp_path, steps, items)))
    assert any("1 lines are damaged" in line and "run the same command again" in line for line in verdict.wrong)
    asked = len(model.asked)
    journal.rename(journal.with_name("9" + journal.name))  # read last, as if a clock had been wrong
    run(steps, tmp_path, items)
    assert leaves(steps, tmp_path, items) == before
    assert len(model.asked) == asked, "the reply is still in the book of calls"
    verdict = asyncio.run(verify(opened(tmp_path, steps, items)))
    assert verdict.wrong == []
    assert any("was done again" in note for note in verdict.notes)


def test_verify_finds_strange_lines_lost_outcomes_and_changed_steps(tmp_path: Path) -> None:
    steps, items = steps_with(Counting()), roots(3)
    run(steps, tmp_path, items)
    say = next((tmp_path / "steps").glob("*-say@*"))
    journal = next(say.glob("journal/*.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + b"[1, 2]\n" + lines[1].replace(b":", b": ") + lines[2] + lines[2])
    found = " ".join(asyncio.run(verify(opened(tmp_path, steps, items))).wrong)
    assert "2 lines are damaged" in found
    assert "ended 2 times" in found
    (say / "spec.json").write_text("{}")
    assert "is not that of the step say" in " ".join(asyncio.run(verify(opened(tmp_path, steps, items))).wrong)
    journal.write_bytes(b"".join(lines))
    fewer = asyncio.run(verify(opened(tmp_path, steps, [])))
    assert any("are not there any more" in note for note in fewer.notes)


def test_verify_misses_files_and_exports_that_are_gone_or_changed(tmp_path: Path) -> None:
    async def cut(records: tuple[Record, ...], ctx: Context) -> Sequence[Value]:
        ctx.folder.mkdir(parents=True, exist_ok=True)
        (ctx.folder / "clip.mp4").write_bytes(b"clip")
        return [{"file": "files/clip.mp4"}]

    steps, items = [Step("cut", 1, {}, cut)], roots(1)
    run(steps, tmp_path, items)
    assert asyncio.run(verify(opened(tmp_path, steps, items))).wrong == []
    (tmp_path / "files/clip.mp4").unlink()
    assert "the file files/clip.mp4 of v0 is not there" in asyncio.run(verify(opened(tmp_path, steps, items))).wrong[0]
    (tmp_path / "files/clip.mp4").touch()
    train, card = tmp_path / "train.jsonl", tmp_path / "train.jsonl.card.json"
    train.write_text("{}")
    sha256 = hashlib.sha256(b"{}").hexdigest()
    card.write_text(json.dumps({"file": "train.jsonl", "sha256": sha256}))
    book = opened(tmp_path, steps, items)
    book.note_export(card)
    assert asyncio.run(verify(book)).wrong == []
    train.write_text("[]")
    assert "is not what was exported" in asyncio.run(verify(book)).wrong[0]
    train.unlink()
    assert "cannot be read" in asyncio.run(verify(book)).wrong[0]


def manifest(steps: list[Step], where: Path, settings: dict[str, JSON], items: Sequence[Record] = ()) -> Manifest:
    return Manifest.of({"recipe": "toy", "settings": settings}, steps, items, where, {})


def test_the_manifest_says_what_differs(tmp_path: Path) -> None:
    steps = steps_with(Counting())
    first = manifest(steps, tmp_path, {"clip_seconds": 10})
    out = tmp_path / "run"
    out.mkdir()
    (out / ".run.json.left").touch()
    write_manifest(out, first, [], change=False)
    assert read_manifest(out) == first
    other = manifest(steps, tmp_path, {"clip_seconds": 5})
    with pytest.raises(ConfigError, match=r"settings.clip_seconds was 10, is now 5.*--change"):
        write_manifest(out, other, [], change=False)
    write_manifest(out, other, [], change=True)
    steps[0] = Step("split", 2, {}, steps[0].run, many=True)
    with pytest.raises(ConfigError, match=r"steps.split.version was 1, is now 2"):
        write_manifest(out, manifest(steps, tmp_path, {"clip_seconds": 5}), [], change=False)
    stored = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**stored, "format": 99, "longtake": "9.9"}))
    with pytest.raises(StoreError, match=r"written by longtake 9.9 in format 99"):
        read_manifest(out)
    (out / "run.json").write_text(json.dumps({**stored, "asked": {}}))
    with pytest.raises(StoreError, match="changed by hand"):
        read_manifest(out)
    (out / "run.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        read_manifest(out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        write_manifest(tmp_path / "full", first, [], change=False)


def test_roots_come_back_and_none_is_lost_without_a_word(tmp_path: Path) -> None:
    steps, items = steps_with(Counting()), roots(1, 2)
    told = manifest(steps, tmp_path / "films", {}, items)
    write_manifest(tmp_path, told, items, change=False)
    assert read_roots(tmp_path, told) == items
    fewer = manifest(steps, tmp_path / "films", {}, items[1:])
    with pytest.raises(ConfigError, match=r"1 of the run's 2 videos are not there any more \(v0; .*films"):
        write_manifest(tmp_path, fewer, items[1:], change=False)
    write_manifest(tmp_path, manifest(steps, tmp_path, {}, roots(1, 2, 3)), roots(1, 2, 3), change=False)
    with pytest.raises(StoreError, match="run the same command again"):
        read_roots(tmp_path, told)  # as after a kill between the list of videos and run.json
    assert known_roots(tmp_path) == roots(1, 2, 3)
    (tmp_path / "sources.jsonl").write_text("")
    with pytest.raises(StoreError, match="run the same command again"):
        read_roots(tmp_path, told)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(StoreError, match="another run is at work"), locked(tmp_path):
            pass
    assert not is_locked(tmp_path)


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_pipeline import Counting, roots, steps_with
from longtake.compute import Local
from longtake.datagen.pipeline import Runner
from longtake.datagen.store import RunStore
from longtake.models.journaled import Limits

class Slow(Counting):
    async def generate(self, messages, *, tools, config):
        with open({ledger!r}, "a") as file:
            file.write(messages[-1].text + chr(10))
        return await super().generate(messages, tools=tools, config=config)

async def go():
    make = lambda: Runner(steps_with(Slow(seconds=0.15)), RunStore(Path({out!r})), limits=Limits(8))
    await Local().map(make, roots(*[30] * 6), lambda _: True)

asyncio.run(go())
"""


def test_killed_at_random_and_run_again_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    ledger, out, whole = tmp_path / "ledger", tmp_path / "out", tmp_path / "whole"
    code = KILLED.format(paths=[str(Path(__file__).parent)], ledger=str(ledger), out=str(out))
    chance = random.Random(7)
    kills = 0
    for _ in range(60):
        process = subprocess.Popen([sys.executable, "-c", code])
        try:
            process.wait(timeout=chance.uniform(0.7, 1.7))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    else:
        pytest.fail("it never came to an end")
    steps, items = steps_with(Counting()), roots(*[30] * 6)
    run(steps, whole, items)
    assert leaves(steps, out, items) == leaves(steps, whole, items)
    assert asyncio.run(verify(opened(out, steps, items))).wrong == []
    asked = ledger.read_text().splitlines()
    twice = sum(2 for line in asked if line.endswith("twice")) // 2
    paid_again = len(asked) - twice - len({line for line in asked if not line.endswith("twice")}) + max(0, twice - 12)
    found = asyncio.run(status(opened(out, steps, items)))
    open_calls = sum(len(step.open_calls) for step in found.steps)
    assert kills > 0
    assert paid_again <= 16 * kills
    assert open_calls <= 16 * kills
