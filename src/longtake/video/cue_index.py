"""Full-text search over cues: SQLite FTS5 in memory, ranked by BM25.

Owns how text and questions are cut into words. Any string is a safe query.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import StoreError
from ..types import Cue, TimeSpan

__all__ = ["CueIndex", "Hit"]

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a an and any are as at be been being but by can could d did do does doing don for from had has have he her hers
        him his how i if in into is it its just ll m me my of on or our s she should so such t than that the their
        them then there these they this those to ve was we were what when where which while who whom whose why will
        with would you your about after before during please tell show video
        """,
    )
)
_MAX_TERMS = 64
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_RUN = re.compile(f"[{_CJK}]+")
_CJK_LETTER = re.compile(f"([{_CJK}])")
_BORDER = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_NUMBER = re.compile(r"\d+(?:[.:,/]\d+)+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A cue that was found; ``score`` is its BM25 score, larger is better, comparable within one search only."""

    cue: Cue
    score: float


class CueIndex:
    """BM25 over cues, in memory: made from thousands of cues in milliseconds, so there is no file to go stale.

    English words match in all their forms, all words without their accents; scripts without spaces are indexed
    letter by letter and searched by pairs of letters. Raises `StoreError` if SQLite has no full-text search."""

    def __init__(self, cues: Sequence[Cue]) -> None:
        self._cues: tuple[Cue, ...] = tuple(cues)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._db.close)
        try:
            self._db.execute(
                "create virtual table cues using fts5(text, tokenize = 'porter unicode61 remove_diacritics 2')"
            )
        except sqlite3.OperationalError as e:
            raise StoreError(
                f"this Python's SQLite {sqlite3.sqlite_version} has no full-text search ({e});"
                " use a Python whose SQLite is built with FTS5"
            ) from e
        rows = ((number, _indexed(cue.text)) for number, cue in enumerate(self._cues))
        self._db.executemany("insert into cues (rowid, text) values (?, ?)", rows)

    def search(self, query: str, limit: int, span: TimeSpan | None = None) -> tuple[Hit, ...]:
        """Cues with any of the words of ``query``, best first, at most ``limit``; ``span`` keeps those that share
        time with it. Common English words are left out of a query that has others."""
        terms = _terms(query)
        if not terms:
            return ()
        expression = " OR ".join(f'"{term}"' for term in terms)
        hits: list[Hit] = []
        with self._lock:
            rows = self._db.execute(
                "select rowid, bm25(cues) from cues where cues match ? order by 2, 1", (expression,)
            )
            for number, score in rows:
                cue = self._cues[int(number)]
                if span is None or cue.span.overlap(span) > 0:
                    hits.append(Hit(cue, -score))
                    if len(hits) == limit:
                        break
            rows.close()
        return tuple(hits)


def _plain(text: str) -> str:
    """Letters, digits, accents and spaces only; the same for cues and queries, whatever SQLite takes for a letter.

    Digits stand apart from letters, since recognised writing loses spaces ("ROOM7")."""
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text)
    return _BORDER.sub(" ", kept)


def _indexed(text: str) -> str:
    return _CJK_LETTER.sub(r" \1 ", _plain(text))


def _terms(query: str) -> list[str]:
    """Words, numbers such as 18:30 and pairs of letters to look for, each safe between double quotes."""
    terms = [_plain(number) for number in _NUMBER.findall(query)]
    rest = _plain(_NUMBER.sub(" ", query))
    for run in _CJK_RUN.findall(rest):
        terms += [f"{a} {b}" for a, b in pairwise(run)] or [run]
    words = _CJK_RUN.sub(" ", rest).split()
    content = [word for word in words if word.casefold() not in _STOP_WORDS]
    terms += content or ([] if terms else words)
    return list(dict.fromkeys(terms))[:_MAX_TERMS]
