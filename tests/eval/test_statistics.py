"""The statistics against numbers of SciPy 1.17 and explicit matrices, and their coverage where videos are shared."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.eval.report.statistics import (
    estimate,
    kappa,
    macro_estimate,
    mcnemar,
    paired_difference,
    student_p,
    student_quantile,
    wilson,
)

Z = 1.959963984540054
SHARES = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 0.25]), st.integers(0, 5)), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("share", "freedom", "scipy"),
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 2.5, 3.5746548420036817),
        (0.95, 7, 1.8945786050900062),
        (0.975, 29.3, 2.044320421500141),
        (0.995, 4, 4.604094871349992),
        (0.6, 11, 0.25955586047627044),
        (0.975, 899, 1.9626062692929975),
        (0.975, 1000000.0, 1.959966356814107),
    ],
)
def test_quantiles_are_scipys(share: float, freedom: float, scipy: float) -> None:
    assert student_quantile(share, freedom) == pytest.approx(scipy, rel=1e-8)
    assert student_p(scipy, freedom) == pytest.approx(2 * (1 - share), rel=1e-8)


def test_the_tail_is_exact_where_it_is_known() -> None:
    assert student_p(1.0, 1) == pytest.approx(0.5)  # Cauchy
    assert student_p(0.0, 3.3) == 1.0
    assert student_p(-2.0, 7) == student_p(2.0, 7)
    assert (student_p(Z, 1e8), student_quantile(0.975, 1e8)) == (pytest.approx(0.05), pytest.approx(Z))
    assert student_p(30.0, 4) == pytest.approx(7.352856097661319e-06, rel=1e-9)


@pytest.mark.parametrize(("share", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0.0)])
def test_impossible_quantiles_are_refused(share: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="freedom above 0"):
        student_quantile(share, freedom)


def test_wilson_is_that_of_the_books() -> None:
    assert wilson(0.9, 20, Z) == pytest.approx((0.6989663547715128, 0.9721335187862319), rel=1e-9)
    assert wilson(0.0, 10, Z) == pytest.approx((0.0, 0.27753279986288926))


@pytest.mark.parametrize(
    ("b", "c", "exact"),
    [(0, 0, 1.0), (0, 5, 0.0625), (3, 9, 0.14599609375), (60, 40, 0.05688793364098079), (10, 10, 1.0)],
)
def test_mcnemar_is_scipys_binomial_test(b: int, c: int, exact: float) -> None:
    found, mid = mcnemar(b, c)
    assert found == pytest.approx(exact)
    least = min(b, c)
    at_least = Fraction(math.comb(b + c, least), 2 ** (b + c))
    assert mid == pytest.approx(1.0 if b == c else found - float(at_least))


def test_mcnemar_of_a_big_benchmark() -> None:
    assert mcnemar(1500, 1700)[0] == pytest.approx(0.00043334035939974455)


def test_kappa() -> None:
    assert kappa(20, 5, 10, 15) == pytest.approx(0.4)
    assert kappa(10, 0, 0, 10) == 1.0
    assert (kappa(10, 0, 0, 0), kappa(0, 0, 0, 0)) == (None, None)


def test_the_standard_error_is_that_of_explicit_matrices() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), rng.integers(1, 9, 12))
    values = (rng.random(len(clusters)) < 0.7).astype(float)
    n = len(values)
    hat = np.full((n, n), 1 / n)
    residual = (np.eye(n) - hat) @ values
    variance, vectors = 0.0, list[np.ndarray]()
    for cluster in range(12):
        inside = np.flatnonzero(clusters == cluster)
        size, turn = np.linalg.eigh(np.eye(len(inside)) - hat[np.ix_(inside, inside)])
        root = turn @ np.diag(size**-0.5) @ turn.T
        variance += float(np.ones(len(inside)) @ root @ residual[inside]) ** 2 / n**2
        vectors.append(((np.eye(n) - hat)[:, inside] @ root @ np.ones(len(inside))) / n)
    products = np.array(vectors) @ np.array(vectors).T
    freedom = np.trace(products) ** 2 / (products**2).sum()
    found = estimate(values.tolist(), clusters.tolist())
    assert found is not None
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    effective = values.mean() * (1 - values.mean()) / max(variance, values.var() / n)
    assert found.interval == pytest.approx(wilson(values.mean(), effective, student_quantile(0.975, freedom)))


def test_one_question_a_video_is_the_plain_standard_error() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0]
    found = estimate(values, range(5))
    assert found is not None
    assert found.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))


def test_repeating_every_answer_tells_nothing_new() -> None:
    once = estimate([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], range(6))
    tenfold = estimate([1.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 10, [*range(6)] * 10)
    assert once is not None
    assert tenfold is not None
    assert (tenfold.n, tenfold.num_clusters) == (60, 6)
    assert tenfold.standard_error == pytest.approx(once.standard_error)
    assert tenfold.interval == pytest.approx(once.interval, abs=0.02)


def test_all_right_is_not_certain() -> None:
    many, few = estimate([1.0] * 100, range(100)), estimate([1.0] * 100, [i % 5 for i in range(100)])
    assert many is not None
    assert many.interval is not None
    assert few is not None
    assert few.interval is not None
    assert (many.interval[1], few.interval[1]) == (1.0, 1.0)
    assert 0.96 < many.interval[0] < 0.97
    assert few.interval[0] < 0.5


def test_one_video_has_no_interval() -> None:
    found = estimate([1.0, 0.0, 1.0], ["v", "v", "v"])
    assert found is not None
    assert (found.mean, found.standard_error, found.interval) == (2 / 3, None, None)
    assert estimate([], []) is None


def test_a_value_without_a_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="one cluster for each of 2 values, got 1"):
        estimate([1.0, 0.0], ["v"])


@given(SHARES)
def test_intervals_hold_the_mean_and_stay_shares(pairs: list[tuple[float, int]]) -> None:
    found = estimate([value for value, _ in pairs], [cluster for _, cluster in pairs])
    assert found is not None
    assert (found.interval is None) == (len({cluster for _, cluster in pairs}) == 1)
    if found.interval is not None:
        assert 0 <= found.interval[0] <= found.mean <= found.interval[1] <= 1
        assert found.interval[0] < found.interval[1]


@given(SHARES)
def test_a_mean_of_one_group_is_its_mean(pairs: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in pairs], [cluster for _, cluster in pairs]
    assert macro_estimate([(values, clusters)]) == estimate(values, clusters)


def test_a_macro_mean_weighs_tasks_the_same() -> None:
    plot, count = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [0.0, 1.0]
    found = macro_estimate([(plot, range(6)), (count, ["a", "b"])])
    first, second = estimate(plot, range(6)), estimate(count, ["a", "b"])
    assert found is not None
    assert first is not None
    assert second is not None
    assert found.mean == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert first.standard_error is not None
    assert second.standard_error is not None
    assert found.standard_error == pytest.approx(math.hypot(first.standard_error, second.standard_error) / 2)
    shared = macro_estimate([([1.0, 0.0, 1.0], range(3)), ([1.0, 0.0, 1.0], range(3))])  # of the same videos
    alone = estimate([1.0, 0.0, 1.0], range(3))
    assert shared is not None
    assert alone is not None
    assert shared.standard_error == pytest.approx(alone.standard_error)
    assert macro_estimate([(plot, range(6)), ([], [])]) is None


def test_a_task_of_one_video_leaves_the_macro_mean_without_an_interval() -> None:
    found = macro_estimate([([1.0, 0.0], ["a", "b"]), ([1.0, 1.0], ["c", "c"])])
    assert found is not None
    assert (found.mean, found.interval) == (0.75, None)


def test_differences() -> None:
    same = paired_difference([0.0] * 50, range(50))
    assert same is not None
    assert same.interval is not None
    assert (same.mean, same.p) == (0.0, 1.0)
    assert same.interval[0] == -same.interval[1]
    assert 0.03 < same.interval[1] < 0.06  # two runs that agree on 50 videos may differ on the next
    better = paired_difference([1.0] * 20 + [-1.0] * 2 + [0.0] * 50, range(72))
    assert better is not None
    assert better.interval is not None
    assert better.p is not None
    assert better.mean == pytest.approx(0.25)
    assert better.interval[0] > 0.1
    assert better.p < 0.001
    assert paired_difference([], []) is None
    one = paired_difference([1.0, 0.0], ["v", "v"])
    assert one is not None
    assert (one.mean, one.interval, one.p) == (0.5, None, None)


@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.integers(0, 6)), min_size=2, max_size=40))
def test_p_and_interval_of_a_difference_say_the_same(pairs: list[tuple[float, int]]) -> None:
    found = paired_difference([value for value, _ in pairs], [cluster for _, cluster in pairs])
    assert found is not None
    if found.interval is not None and found.p is not None and abs(found.p - 0.05) > 1e-9:
        assert (found.p < 0.05) == (not found.interval[0] <= 0 <= found.interval[1])


@pytest.mark.parametrize(("num_videos", "share"), [(8, 0.8), (40, 0.5), (40, 0.9)])
def test_intervals_cover_where_questions_share_videos_and_naive_ones_do_not(num_videos: int, share: float) -> None:
    rng = np.random.default_rng(7)
    covered = naive = 0
    for _ in range(400):
        clusters = np.repeat(np.arange(num_videos), rng.integers(1, 11, num_videos))
        ease = rng.beta(share * 1.5, (1 - share) * 1.5, num_videos)  # correlation 0.4 within a video
        values = (rng.random(len(clusters)) < ease[clusters]).astype(float)
        found = estimate(values.tolist(), clusters.tolist())
        assert found is not None
        assert found.interval is not None
        covered += found.interval[0] <= share <= found.interval[1]
        low, high = wilson(float(values.mean()), len(values), Z)
        naive += low <= share <= high
    assert 0.91 <= covered / 400 <= 0.99
    assert naive / 400 < 0.8


def test_the_test_of_a_difference_holds_where_mcnemars_does_not() -> None:
    rng = np.random.default_rng(11)
    rejected = naive = 0
    for _ in range(400):
        clusters = np.repeat(np.arange(30), rng.integers(1, 11, 30))
        lean = rng.beta(0.75, 0.75, 30)  # each video suits one of the runs; over videos neither is better
        sign = np.where(rng.random(len(clusters)) < lean[clusters], 1.0, -1.0)
        values = np.where(rng.random(len(clusters)) < 0.3, sign, 0.0)
        found = paired_difference(values.tolist(), clusters.tolist())
        assert found is not None
        assert found.p is not None
        rejected += found.p < 0.05
        naive += mcnemar(int((values > 0).sum()), int((values < 0).sum()))[1] < 0.05
    assert 0.02 <= rejected / 400 <= 0.08
    assert naive / 400 > 0.1


def test_the_mean_over_tasks_is_covered_too() -> None:
    rng = np.random.default_rng(3)
    tasks, covered = [(30, 0.5), (10, 0.3), (25, 0.7), (8, 0.4), (15, 0.6)], 0
    for _ in range(300):
        groups: list[tuple[list[float], list[tuple[int, int]]]] = []
        for task, (num_videos, share) in enumerate(tasks):
            ease = rng.beta(share * 1.5, (1 - share) * 1.5, num_videos)
            videos = np.repeat(np.arange(num_videos), rng.integers(1, 6, num_videos))
            values = (rng.random(len(videos)) < ease[videos]).astype(float)
            groups.append((values.tolist(), [(task, video) for video in videos.tolist()]))
        found = macro_estimate(groups)
        assert found is not None
        assert found.interval is not None
        covered += found.interval[0] <= 0.5 <= found.interval[1]
    assert 0.91 <= covered / 300 <= 0.985
