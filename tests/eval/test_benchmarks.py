"""Every benchmark's description parses, and reads every form of its data; no gold leaves the fields for gold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from made_rows import VARIANTS, Made

from longtake.errors import ConfigError
from longtake.eval.data.benchmark import list_specs, load_spec
from longtake.eval.data.check import check_benchmark
from longtake.eval.data.read import read_benchmark
from longtake.registry import names

ANNOTATIONS = Path(os.environ.get("LONGTAKE_TVQA_ANNOTATIONS") or Path(__file__).parents[2] / "../shared/annotations")


@pytest.mark.parametrize("make", VARIANTS, ids=lambda make: make.__name__)
def test_a_form_of_data_reads(make: Callable[[Path], Made], tmp_path: Path):
    made = make(tmp_path)
    loaded = read_benchmark(load_spec(made.benchmark), made.data, split=made.split)
    item = loaded.items[0]
    sample = item.sample
    assert (sample.question, sample.choices, sample.target) == (made.question, made.choices, made.target)
    assert tuple((span.start, span.end) for span in sample.target_spans) == made.spans
    assert (item.kind, item.video_name, item.clip) == (made.kind, made.video, made.clip)
    assert made.id is None or sample.id == made.id
    for name, values in made.strata.items():
        assert item.strata[name] == values
    assert len(loaded.items) == made.num_items
    assert loaded.num_rows == len(loaded.items) + len(loaded.malformed) + len(loaded.duplicates)
    assert "SECRET" not in repr(sample.without_gold())


def test_every_benchmark_that_is_promised_is_there():
    promised = "longvideo-reason-eval videosiah-eval longtvqa longtvqa+ tvqa tvqa+ video-mme lvbench longvideobench"
    assert {*promised.split(), "mlvu-dev", "mlvu-test", "charades-sta", "custom"} <= {
        spec.name for spec in list_specs()
    }


def test_names_are_found_by_alias_and_case_and_none_is_taken_twice():
    assert load_spec("VideoMME").name == "video-mme"
    assert load_spec("LongTVQA_plus").name == "longtvqa+"
    taken = [name for spec in list_specs() for name in (spec.name, *spec.aliases)]
    assert len(taken) == len(set(taken))


def test_every_scorer_that_is_named_exists():
    named = {name for spec in list_specs() for name in (spec.scoring.strict, spec.scoring.lenient, *spec.scoring.extra)}
    assert {name for name in named if name} <= set(names("scorer"))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"no benchmark 'mvbench'.*lvbench.*video-mme"):
        load_spec("mvbench")
    with pytest.raises(ConfigError, match=r"'lvbnech' \(did you mean 'lvbench'\?\).*lmms:TASK"):
        load_spec("lvbnech")


def test_a_toml_of_ones_own_says_only_what_differs(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(
        'base = "custom"\nname = "mine"\ntitle = "Mine"\nabout = "x"\nkind = "choice"\n'
        '[fields]\nanswer = { gold = ["index1"] }\n'
    )
    spec = load_spec(tmp_path / "mine.toml")
    (tmp_path / "rows.jsonl").write_text('{"question": "Who?", "video": "v", "options": ["1", "2"], "gold": 1}')
    assert spec.aliases == ()
    assert read_benchmark(spec, [tmp_path / "rows.jsonl"]).items[0].sample.target == "A"


HEAD = 'base = "custom"\nname = "m"\ntitle = "M"\nabout = "x"\n'


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("feilds = 1", r"feilds: a benchmark has no 'feilds' \(did you mean 'fields'\?\); allowed: base, name, title"),
        ("[feilds]", "did you mean 'fields'"),
        (
            "[fields]\nqestion = ['q']",
            r"fields.qestion: the table \[fields\] has no 'qestion' .*'question'.*; allowed: q",
        ),
        (
            "kind = 'chioce'",
            r"kind: got 'chioce' \(did you mean 'choice'\?\); allowed: choice, text, number, span, any\.",
        ),
        (
            "[fields]\nanswer = {gold = ['leter']}",
            r"fields.answer.gold: got 'leter' .*'letter'.*allowed: letter, index, ",
        ),
        ("[fields]\nquestion = 'q'", "fields.question: got 'q', wanted a list of names in brackets"),
        ("[fields]\nanswer = 'gold'", "fields.answer: got 'gold', wanted a table"),
        (
            "[scoring]\nlenient = 'relaxd'",
            "scoring.lenient: got 'relaxd' .*'relaxed'.*allowed: .*choice, choice_strict",
        ),
        ("[scoring]\nextra = ['iou']", "scoring.extra: got 'iou'"),
        ("[scoring]\nheadline = 'best'", "scoring.headline: got 'best'; allowed: strict, lenient, judge"),
        ("[scoring]\nmacro = 'topic'", "scoring.macro: got 'topic'; allowed: type, "),
        ("line = '('", "line: got '\\('"),
        ("[fields]\nvideo_pattern = 'x+'", "fields.video_pattern: got 'x.*which has no group"),
    ],
)
def test_what_is_wrong_in_a_toml_is_one_line(toml: str, said: str, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(HEAD + toml)
    with pytest.raises(ConfigError, match=said) as caught:
        load_spec(tmp_path / "mine.toml")
    assert "\n" not in str(caught.value)


def test_a_toml_without_its_title_is_told_so(tmp_path: Path):
    (tmp_path / "mine.toml").write_text('name = "m"\nabout = "x"\n')
    with pytest.raises(ConfigError, match="title is missing; give name, title and about"):
        load_spec(tmp_path / "mine.toml")


@pytest.mark.parametrize("base", ["nothing", "../custom"])
def test_a_base_that_is_none_is_refused(base: str, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(f'base = "{base}"\nname = "m"\ntitle = "M"\nabout = "x"\n')
    with pytest.raises(ConfigError, match="it may be one of"):
        load_spec(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("benchmark", "file", "num_rows", "num_answers", "num_spans"),
    [("tvqa", "tvqa_test_public.jsonl", 7623, 0, 7618), ("tvqa+", "tvqa_plus_val.json", 3017, 3017, 3015)],
)
def test_the_public_annotations_read_without_a_malformed_row(
    benchmark: str, file: str, num_rows: int, num_answers: int, num_spans: int
):
    """They are not part of the project: https://github.com/jayleicn/TVQA and https://github.com/jayleicn/TVQAplus."""
    if not (ANNOTATIONS / file).is_file():
        pytest.skip(f"there is no {file}; set LONGTAKE_TVQA_ANNOTATIONS to the folder that has it")
    loaded = read_benchmark(load_spec(benchmark), [ANNOTATIONS / file])
    assert (loaded.num_rows, loaded.malformed, loaded.duplicates) == (num_rows, (), ())
    assert all(len(item.sample.choices) == 5 for item in loaded.items)
    assert sum(item.sample.target is not None for item in loaded.items) == num_answers
    assert sum(bool(item.sample.target_spans) for item in loaded.items) == num_spans
    assert check_benchmark(loaded).expected_rows == num_rows
