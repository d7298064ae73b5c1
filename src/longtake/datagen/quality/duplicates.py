"""How much each of many texts repeats an earlier one, in time that grows with their number, not its square.

A text is its set of neighbouring word pairs, likeness the Jaccard index of two sets, computed exactly. Which pairs of
texts are worth comparing is found by MinHash in 21 bands of 3 hashes: of texts that share 0.6 of their word pairs,
99 % are found, of those that share 0.5, 94 %. Below `LEAST` nothing is reported.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...scoring.words import words_of

__all__ = ["LEAST", "likeness"]

LEAST = 0.3
"""Smaller likenesses are chance, or found by chance; they count as 0."""
_BANDS, _ROWS = 21, 3
_MOST_LIKE = 4
"""How many earlier texts of a crowded bucket a text is compared with: copies of copies are found by any of them."""
_PRIME = np.uint64((1 << 61) - 1)
_MASK = np.uint64((1 << 32) - 1)

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


def likeness(texts: Sequence[str]) -> list[float]:
    """For each text its greatest likeness in [0, 1] to an earlier one; 1.0 for the same word pairs."""
    sets = [_pairs(text) for text in texts]
    best = np.zeros(len(sets))
    first_with = dict[bytes, int]()
    distinct = list[int]()
    for number, members in enumerate(sets):
        if first_with.setdefault(members.tobytes(), number) == number:
            distinct.append(number)
        else:
            best[number] = 1.0
    for late, early in _candidates([sets[number] for number in distinct]):
        here, there = distinct[late], distinct[early]
        shared = len(np.intersect1d(sets[here], sets[there], assume_unique=True))
        alike = shared / (len(sets[here]) + len(sets[there]) - shared)
        if alike >= LEAST:
            best[here] = max(best[here], alike)
    return best.tolist()


def _pairs(text: str) -> U32:
    """Checksums of the word pairs, ascending, each once; a text of one word is that word."""
    words = words_of(text)
    pairs = [f"{a} {b}" for a, b in pairwise(words)] or words or [""]
    return np.array(sorted({zlib.crc32(pair.encode()) for pair in pairs}), dtype=np.uint32)


def _candidates(sets: Sequence[U32]) -> Iterator[tuple[int, int]]:
    """(later, earlier) places of sets that share a band, each pair once."""
    if len(sets) < 2:
        return
    hashes = _signatures(sets)
    found = list[npt.NDArray[np.int64]]()
    for band in range(_BANDS):
        rows = hashes[:, band * _ROWS : (band + 1) * _ROWS]
        mixed = rows[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ rows[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F) ^ rows[:, 2]
        order = np.argsort(mixed, kind="stable")  # earlier texts first within a bucket
        ordered = mixed[order]
        for back in range(1, _MOST_LIKE + 1):
            same = np.flatnonzero(ordered[back:] == ordered[:-back])
            if not len(same):
                break
            found.append(np.stack([order[same + back], order[same]], axis=1))
    if found:
        yield from np.unique(np.concatenate(found), axis=0).tolist()


def _signatures(sets: Sequence[U32]) -> U64:
    """uint64 (number of sets, bands x rows): the least of each of 63 hashes over each set."""
    generator = np.random.default_rng(63)
    factors = generator.integers(1, 1 << 31, _BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    offsets = generator.integers(0, 1 << 60, _BANDS * _ROWS, dtype=np.uint64)
    members = np.concatenate(sets).astype(np.uint64)
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    columns = [
        np.minimum.reduceat(((members * factor + offset) % _PRIME) & _MASK, starts)
        for factor, offset in zip(factors, offsets, strict=True)
    ]
    return np.stack(columns, axis=1)
