"""Whatever a row holds, it becomes a question or a reason, and nothing else is raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longtake.eval.data.benchmark import Spec, list_specs, load_spec
from longtake.eval.data.drafts import Draft, draft_of
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


def own(question: str, answer: Any, **row: Any) -> Draft:
    return draft_of(load_spec("custom"), {"question": question, "video": "v", "answer": answer, **row}, "row:1")


LISTED = "of these are shown: (A) cats (B) dogs (C) birds"


def test_a_list_in_an_open_question_makes_no_options():
    for answer, kind in ((2, "number"), ("2", "text"), ("none", "text")):
        item = own(f"How many {LISTED}?", answer).item
        assert (item.kind, item.sample.choices, item.sample.target) == (kind, (), str(answer))
        assert LISTED in item.sample.question


@pytest.mark.parametrize("answer", ["B", "(b)", "dogs", "B. dogs"])
def test_a_list_that_has_the_answer_is_one_of_options(answer: str):
    item = own("Which is shown?\nA. cats\nB. dogs\nC. birds", answer).item
    assert (item.sample.choices, item.sample.target) == (("cats", "dogs", "birds"), "B")


def test_a_number_may_be_the_label_in_a_list_or_what_is_asked_for():
    lines = "\n1. cats\n2. dogs\n3. birds\n4. cows"
    assert own(f"Which is it?{lines}", "2").item.sample.target == "B"
    for question, answer in ((f"How many?{lines}", "2"), (f"How many?{lines}", 1), ("How many?\nA. 2\nB. 3", 3)):
        with pytest.raises(FieldError, match="kind = "):
            own(question, answer)


def test_an_index_of_its_own_field_names_an_option_of_the_question():
    item = own("Which?\nA. cats\nB. dogs", None, answer_idx=1).item
    assert (item.kind, item.sample.target) == ("choice", "B")


def test_an_answer_that_is_a_time_is_asked_for_as_one():
    for answer in ("[216, 234]", "3:36-3:54", {"start": 216, "end": 234}, [[216, 234]]):
        item = own("When?", answer).item
        assert (item.kind, item.sample.target) == ("span", "216 - 234")
    assert own("How many?", "from 12 to 20 people").item.kind == "text"


@pytest.mark.parametrize("answer", [{"a": 1}, {"start": 5, "end": 1}, [[1, 2], "x"], [{"a": 1}]])
def test_an_object_that_is_no_span_is_malformed(answer: Any):
    with pytest.raises(FieldError, match="write text, a number"):
        own("When?", answer)


def test_a_gold_span_with_a_sign_is_left_out_and_noted():
    draft = own("Which?", "A", options=["x", "y"], ts="-1-5")
    assert draft.item.sample.target_spans == ()
    assert "'-1-5' is no span" in draft.notes[0]
