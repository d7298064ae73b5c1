"""What it takes to trust a judge: known cases before it judges, canaries while it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from judges import (
    FakeJudge,
    Says,
    always_no,
    always_yes,
    honest,
    inverted,
    obedient,
    parrot,
    prose,
    reply,
    verdict,
)

from longtake.errors import (
    JudgeError,
    ModelAuthError,
    ModelConnectionError,
)
from longtake.ledger import Committer
from longtake.models.cache import CachedModel
from longtake.models.journaled import Account, CallJournal, JournaledModel
from longtake.scoring.judge import Judge
from longtake.scoring.known_cases import KNOWN_CASES, canary_case
from longtake.store import DiskCache
from longtake.types import Model, Score, Usage

# ------------------------------------------------------------------------------------------------- known cases


def test_the_known_cases_try_both_ways_and_differ() -> None:
    assert len(KNOWN_CASES) >= 12
    for kind in ({True, False}, {False}):
        cases = [case for case in KNOWN_CASES if case.is_plain in kind]
        assert 0.3 < sum(case.is_right for case in cases) / len(cases) < 0.6
    asked = [(case.question, case.target, case.answer) for case in map(canary_case, range(1001))]
    assert len(set(asked)) == 1001
    assert [canary_case(index).is_right for index in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("index", range(100))
def test_canaries_are_what_they_say(index: int) -> None:
    names = "two three four five six seven eight nine ten eleven twelve".split()
    case = canary_case(index)
    assert (names.index(case.target) + 2 == int(case.answer.split()[0])) is case.is_right


async def test_an_honest_judge_passes() -> None:
    model = FakeJudge(honest)
    probes = await Judge(model).probe()
    assert (probes.num_cases, probes.num_right, probes.missed) == (len(KNOWN_CASES), len(KNOWN_CASES), ())
    assert probes.usage == Usage(23, 2300, 115, cost_usd=pytest.approx(0.023))
    assert {seen.answer for seen in model.seen} == {case.answer for case in KNOWN_CASES}


@pytest.mark.parametrize(
    ("says", "named"),
    [
        (inverted, "the same word ("),
        (always_yes, "another word ("),
        (always_no, "the same word ("),
        (obedient, "an order to the judge ("),
        (prose, "gave no verdict but"),
        (parrot, "gave no verdict but"),
        (lambda seen: reply("VERDICT: 1", "length"), 'gave no verdict but "(length) VERDICT: 1"'),
        (lambda seen: reply("I cannot judge this.", "refused"), 'gave no verdict but "(refused)'),
        (lambda seen: "<think>" + honest(seen), "gave no verdict but"),
        (lambda seen: '{"similarity": 1}', "gave no verdict but"),
        (lambda seen: verdict(bool(seen.answer)), "plain"),
    ],
)
async def test_a_judge_that_is_wrong_about_plain_cases_is_refused(says: Says, named: str) -> None:
    model = FakeJudge(says)
    with pytest.raises(JudgeError, match="the judge fake-judge cannot be trusted: of 23 known cases") as caught:
        await Judge(model).probe()
    assert named in str(caught.value)
    assert len(model.requests) <= 3 * len(KNOWN_CASES)


def misses(*abouts: str) -> Says:
    answers = {(case.question, case.answer) for case in KNOWN_CASES if case.about in abouts}
    return lambda seen: verdict(seen.is_right != ((seen.question, seen.answer) in answers))


async def test_a_few_hard_cases_may_be_missed_and_are_named() -> None:
    probes = await Judge(FakeJudge(misses("half of the answer", "another language"))).probe()
    assert probes.num_right == len(KNOWN_CASES) - 2
    assert probes.missed == (
        'half of the answer ("She buys a map." for "a map and a compass": said right)',
        'another language ("ein Pferd" for "a horse": said wrong)',
    )
    hard = [case.about for case in KNOWN_CASES if not case.is_plain]
    with pytest.raises(JudgeError, match="missed 0 plain ones"):
        await Judge(FakeJudge(misses(*hard))).probe()


async def test_probes_are_not_answered_by_a_cache(tmp_path: Path) -> None:
    model = FakeJudge(honest)
    judge = Judge(CachedModel(model, DiskCache(tmp_path / "replies.sqlite")))
    await judge.probe()
    await judge.probe()
    assert len(model.requests) == 2 * len(KNOWN_CASES)
    model.says = always_yes
    with pytest.raises(JudgeError):
        await judge.probe()


# ---------------------------------------------------------------------------------------------------- canaries


async def ask(judge: Judge, num: int, through: Callable[[int], Model] | None = None) -> list[Score]:
    words = [f"word {n}" for n in range(num)]
    return [
        await judge.score("Which word?", word, word, model=through(n) if through else None)
        for n, word in enumerate(words)
    ]


async def test_canaries_come_in_turns_and_no_cache_answers_them(tmp_path: Path) -> None:
    model = FakeJudge(honest)
    for _ in range(2):
        judge = Judge(CachedModel(model, DiskCache(tmp_path / f"{_}.sqlite")), canary_every=5)
        await ask(judge, 23)
        assert (judge.canaries.num_asked, judge.canaries.num_wrong) == (4, 0)
    canaries = [seen for seen in model.seen if seen.is_canary]
    assert [seen.is_right for seen in canaries] == [True, False, True, False] * 2
    assert len({seen.prompt for seen in canaries}) == 8
    assert len({seen.question for seen in canaries}) == 4
    assert judge.canaries.usage.num_calls == 4
    asked = len(model.requests)
    await ask(judge, 23)  # all of it kept: nothing is asked, so nothing needs watching
    assert len(model.requests) == asked


@pytest.mark.parametrize(("turns_into", "after"), [(always_yes, 5), (always_no, 0), (inverted, 0)])
async def test_a_judge_that_goes_wrong_is_caught_and_asked_no_more(turns_into: Says, after: int) -> None:
    model = FakeJudge(honest)
    judge = Judge(model, canary_every=5)
    assert {score.value for score in await ask(judge, 14)} == {1.0}
    model.says = turns_into
    scores = await ask(judge, 30)
    values = [score.value for score in scores]
    assert values.index(None) == after  # canaries follow replies 15 and 20; that verdict does not count any more
    assert set(values[after:]) == {None}
    assert "was wrong about known cases during the run" in (scores[-1].error or "")
    assert scores[-1].error == judge.canaries.failure
    asked = len(model.requests)
    assert (await judge.score("Who?", "a", "a")).value is None
    assert len(model.requests) == asked


async def test_one_slip_is_counted_and_forgiven() -> None:
    slips = iter([True, *[False] * 1000])
    model = FakeJudge(lambda seen: verdict(seen.is_right != next(slips)) if seen.is_canary else honest(seen))
    judge = Judge(model, canary_every=5)
    assert {score.value for score in await ask(judge, 40)} == {1.0}
    assert (judge.canaries.num_asked, judge.canaries.num_wrong, judge.canaries.failure) == (9, 1, None)


async def test_canaries_without_a_verdict_are_counted_apart() -> None:
    model = FakeJudge(lambda seen: "hm" if seen.is_canary else honest(seen))
    judge = Judge(model, canary_every=5)
    assert {score.value for score in await ask(judge, 15)} == {1.0}
    assert (judge.canaries.num_asked, judge.canaries.num_wrong, judge.canaries.num_without_verdict) == (3, 0, 3)
    model.says = lambda seen: ModelConnectionError("gone") if seen.is_canary else honest(seen)
    assert {score.value for score in await ask(judge, 15)} == {1.0}
    assert judge.canaries.num_without_verdict == 6
    model.says = lambda seen: ModelAuthError("the key was refused") if seen.is_canary else honest(seen)
    with pytest.raises(ModelAuthError):
        await ask(judge, 15)


class Open:
    """A gate that lets every call through."""

    def __init__(self) -> None:
        self.calls = asyncio.Semaphore(8)

    def begin(self) -> None: ...
    def spend(self, usage: Usage) -> None: ...


async def test_verdicts_from_the_journal_cost_nothing_and_call_for_no_canary(tmp_path: Path) -> None:
    model = FakeJudge(lambda seen: honest(seen) if seen.is_canary or "attempt 2" in seen.prompt else "hm")
    asked = list[int]()
    for _ in range(3):
        committer = Committer()
        journal, gate, judge = CallJournal(tmp_path, "w", committer), Open(), Judge(model, canary_every=8)

        def through(n: int, journal: CallJournal = journal, gate: Open = gate, judge: Judge = judge) -> Model:
            return JournaledModel(judge.model, journal, gate, Account(f"item {n}", f"item {n}"))

        scores = await ask(judge, 20, through)
        assert {score.value for score in scores} == {1.0}
        assert {score.explanation.split(":")[0][-6:] for score in scores} == {"2 of 3"}
        asked.append(len(model.requests))
        committer.close()
        journal.close()
    assert asked == [45, 45, 45]  # 20 cases in two attempts each, and five canaries, once
