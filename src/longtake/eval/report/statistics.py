"""How far a number can be trusted: standard errors, intervals and tests for questions that share videos. No I/O.

Questions about one video succeed and fail together, so what counts as independent is the cluster (a video), not the
question. Standard errors are CR2 (Bell and McCaffrey 2002: cluster sums of the residuals, each enlarged for the pull
that the cluster had on the mean), degrees of freedom Satterthwaite's for equal variances. Intervals are Wilson's
(1927) at the effective sample size (Korn and Graubard 1998) with Student's t in place of the normal, so they stay in
[0, 1] and do not shrink to nothing where all is right or all wrong.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

__all__ = [
    "CONFIDENCE",
    "Difference",
    "Estimate",
    "estimate",
    "kappa",
    "macro_estimate",
    "mcnemar",
    "paired_difference",
    "student_p",
    "student_quantile",
    "wilson",
]

CONFIDENCE = 0.95

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of values in [0, 1]. Standard error and interval are None when all values are of one cluster: nothing is
    known then about how clusters differ."""

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    n: int
    num_clusters: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of differences in [-1, 1]; ``p`` is of a two-sided test that it is 0, and agrees with the interval: below
    1 - confidence just when 0 is outside. None as in `Estimate`."""

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    p: float | None
    n: int
    num_clusters: int


def estimate(
    values: Sequence[float], clusters: Sequence[Hashable], *, confidence: float = CONFIDENCE
) -> Estimate | None:
    """The mean of ``values`` (in [0, 1]), whose ``clusters`` (one a value) are independent. None without values."""
    return macro_estimate([(values, clusters)], confidence=confidence)


def macro_estimate(
    groups: Sequence[tuple[Sequence[float], Sequence[Hashable]]], *, confidence: float = CONFIDENCE
) -> Estimate | None:
    """The mean of the groups' means, every group counting the same. Groups may share clusters, and values.

    None when there is no group or one of them is empty; no standard error when one has a single cluster."""
    if not groups or any(not len(values) for values, _ in groups):
        return None
    parts = [_part(np.asarray(values, np.float64), clusters) for values, clusters in groups]
    mean = sum(part.mean for part in parts) / len(parts)
    n, names = sum(part.n for part in parts), {name for part in parts for name in part.pulls}
    if any(len(part.pulls) < 2 for part in parts):
        return Estimate(mean, None, None, n, len(names))
    pulls = dict.fromkeys(names, 0.0)
    weights = dict.fromkeys(names, 0.0)
    for part in parts:
        for name, pull in part.pulls.items():
            pulls[name] += pull / len(parts)
            weights[name] += part.shares[name] / len(parts)
    variance = sum(pull * pull for pull in pulls.values())
    alone = sum(part.variance / part.n for part in parts) / len(parts) ** 2  # were all values independent
    if alone > 0:  # clusters that happen to be alike do not make more of the values than there are
        effective = mean * (1 - mean) / max(variance, alone)
    else:  # all alike: nothing says how much clusters differ, so each counts as one value
        effective = 1 / sum(weight * weight for weight in weights.values())
    freedom = min(_welch(parts), len(names) - 1)
    interval = wilson(mean, effective, student_quantile(0.5 + confidence / 2, freedom))
    return Estimate(mean, math.sqrt(variance), interval, n, len(names))


def paired_difference(
    differences: Sequence[float], clusters: Sequence[Hashable], *, confidence: float = CONFIDENCE
) -> Difference | None:
    """The mean of ``differences`` of pairs. None without pairs.

    The interval is that of Agresti and Min (2005) at the effective number of pairs: two pairs are added, half of one
    in each cell, so that it covers where few pairs differ and has a width where none does."""
    if not len(differences):
        return None
    part = _part(np.asarray(differences, np.float64), clusters)
    n, num_clusters = part.n, len(part.pulls)
    if num_clusters < 2:
        return Difference(part.mean, None, None, None, n, num_clusters)
    variance = sum(pull * pull for pull in part.pulls.values())
    effective = part.variance / max(variance, part.variance / n) if part.variance > 0 else 1 / part.spread
    squares = part.variance + part.mean**2
    more = effective + 2
    centre = effective * part.mean / more
    spread = math.sqrt(((effective * squares + 1) / more - centre**2) / more)
    reach = student_quantile(0.5 + confidence / 2, part.freedom) * spread
    interval = (max(-1.0, centre - reach), min(1.0, centre + reach))
    p = student_p(centre / spread, part.freedom)
    return Difference(part.mean, math.sqrt(variance), interval, p, n, num_clusters)


def wilson(mean: float, effective: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval for a share of ``effective`` (> 0, not necessarily whole) independent tries."""
    squared = quantile * quantile
    centre = (mean + squared / (2 * effective)) / (1 + squared / effective)
    inner = mean * (1 - mean) / effective + squared / (4 * effective * effective)
    reach = quantile * math.sqrt(max(0.0, inner)) / (1 + squared / effective)
    return min(mean, max(0.0, centre - reach)), max(mean, min(1.0, centre + reach))


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """McNemar's exact p and the mid-p (Fagerland 2013) for pairs of which ``only_a`` and ``only_b`` were right in one
    run alone. Exact sums of whole numbers. It holds for pairs that are independent of each other."""
    n, least = only_a + only_b, min(only_a, only_b)
    term, tail = 1, 1
    for k in range(least):
        term = term * (n - k) // (k + 1)
        tail += term
    exact = min(1.0, 2 * tail / 2**n)
    mid = 1.0 if only_a == only_b else (2 * tail - term) / 2**n
    return exact, mid


def kappa(both: int, only_a: int, only_b: int, neither: int) -> float | None:
    """Cohen's kappa of two graders. None when it has no meaning: no pairs, or both always said the same one thing."""
    n = both + only_a + only_b + neither
    if not n:
        return None
    share_a, share_b = (both + only_a) / n, (both + only_b) / n
    chance = share_a * share_b + (1 - share_a) * (1 - share_b)
    return None if chance == 1 else ((both + neither) / n - chance) / (1 - chance)


# ------------------------------------------------------------------------------------------------ one group's mean


@dataclass(frozen=True, slots=True)
class _Part:
    """``pulls``: what each cluster adds to the error of the mean; their squares sum to its variance. ``shares``: of
    the values, by cluster. ``variance`` of the values; ``spread`` of the mean when each cluster counts as one value."""

    mean: float
    variance: float
    n: int
    pulls: dict[Hashable, float]
    shares: dict[Hashable, float]
    freedom: float

    @property
    def spread(self) -> float:
        return sum(share * share for share in self.shares.values())


def _part(values: Values, clusters: Sequence[Hashable]) -> _Part:
    n = len(values)
    places: dict[Hashable, int] = {}
    codes = np.asarray([places.setdefault(name, len(places)) for name in clusters], np.int64)
    if len(codes) != n:
        raise ValueError(f"there must be one cluster for each of {n} values, got {len(codes)}")
    alike = values.min() == values.max()  # by comparing, since the mean of equal values may be off by a digit
    mean = float(values[0] if alike else values.mean())
    variance = 0.0 if alike else float(values.var())
    if len(places) < 2:
        return _Part(mean, variance, n, dict.fromkeys(places, 0.0), dict.fromkeys(places, 1.0), 0.0)
    sums = np.bincount(codes, weights=values - mean)
    shares = np.bincount(codes) / n
    pulls = sums / n / np.sqrt(1 - shares)
    # Sum of the squares of the matrix whose trace is the variance, for values of equal variance: see Bell and McCaffrey
    across = shares**2 / (1 - shares)
    squares = float((shares**2).sum() + across.sum() ** 2 - (across**2).sum())
    return _Part(
        mean,
        variance,
        n,
        dict(zip(places, pulls.tolist(), strict=True)),
        dict(zip(places, shares.tolist(), strict=True)),
        1 / squares,
    )


def _welch(parts: Sequence[_Part]) -> float:
    """Degrees of freedom of the mean of independent means, their variances taken to go by size alone."""
    return sum(part.spread for part in parts) ** 2 / sum(part.spread**2 / part.freedom for part in parts)


# ------------------------------------------------------------------------------------------------------ Student's t


def student_p(t: float, freedom: float) -> float:
    """The chance of a value at least as far from 0 as ``t``, with ``freedom`` > 0 degrees of freedom (any number)."""
    if freedom > 1e7:
        return 2 * NormalDist().cdf(-abs(t))
    far, near = freedom / (freedom + t * t), t * t / (freedom + t * t)
    return _beta(far, near, freedom / 2, 0.5)


@lru_cache(maxsize=4096)
def student_quantile(share: float, freedom: float) -> float:
    """The value below which ``share`` (0.5 to 1) of Student's distribution lies."""
    if not 0.5 <= share < 1 or not freedom > 0:
        raise ValueError(f"a share from 0.5 up to 1 and freedom above 0 are needed, got {share} and {freedom}")
    if freedom > 1e7:
        return NormalDist().inv_cdf(share)
    low, high = 0.0, 1.0
    while student_p(high, freedom) > 2 * (1 - share):
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if student_p(middle, freedom) > 2 * (1 - share) else (low, middle)
    return middle


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function at ``x``; ``rest`` is 1 - x, given apart so that no digits are lost."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - _beta(rest, x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return math.exp(scale) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
