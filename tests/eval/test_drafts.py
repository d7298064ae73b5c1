"""Whatever a row holds, it becomes a question or a reason, and nothing else is raised."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longtake.eval.data.benchmark import Spec, list_specs
from longtake.eval.data.drafts import draft_of
from longtake.eval.data.fields import FieldError

SPECS = list_specs()
WORDS = [
    "A",
    "b",
    "a1",
    "3",
    "-1",
    "nan",
    "N/A",
    "",
    "A. x",
    "(B) y",
    "[1, 2]",
    "{'A': 1}",
    "1-2",
    "01:02-00:01",
    "x\nA. y\nB. z",
]
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(WORDS),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from("ABC1ab"), inner, max_size=4),
    max_leaves=8,
)


def names_of(spec: Spec) -> list[str]:
    fields = spec.fields
    spans = [part for name in fields.spans for part in name.split(",")]
    options = [name.format(n=n) for name in fields.options for n in range(3)]
    groups = [fields.question, fields.video, fields.id, fields.answer, fields.clip, fields.subtitles, spec.kind_field]
    return [
        *spans,
        *options,
        *(name for group in groups for name in group),
        *(n for g in spec.strata.values() for n in g),
    ]


@st.composite
def rows(draw: st.DrawFn) -> tuple[Spec, dict[str, Any]]:
    spec = draw(st.sampled_from(SPECS))
    row: dict[str, Any] = draw(st.dictionaries(st.sampled_from(names_of(spec)), values, max_size=10))
    sound = {spec.fields.question[0]: "Who?", spec.fields.video[0]: "v.mp4"}
    return spec, {**row, **(sound if draw(st.booleans()) else {})}


@settings(max_examples=300, deadline=None)
@given(rows())
def test_a_row_is_a_question_or_malformed(made: tuple[Spec, dict[str, Any]]):
    spec, row = made
    try:
        draft = draft_of(spec, row, "row:1")
    except FieldError:
        return
    item, sample = draft.item, draft.item.sample
    assert sample.id
    assert sample.question.strip()
    assert item.video_name
    assert bool(sample.choices) == (item.kind == "choice")
    if item.kind == "choice":
        assert sample.target is None or sample.target in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(sample.choices)]
        assert all(text.strip() for text in sample.choices)
