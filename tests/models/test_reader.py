"""The embedded reader on conversations as the agents write them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clips import write_clock
from longtake.agents.crop import Crop
from longtake.agents.direct import Direct
from longtake.agents.loop import run
from longtake.agents.team import Team
from longtake.errors import ConfigError, ModelError
from longtake.models.reader import Reader
from longtake.models.support import (
    about_writing,
    closeness,
    content_words,
    coverage,
    expected_form,
    names_asked,
    stem,
    wanted_words,
)
from longtake.types import GenerateConfig, Message, Sample, Trace

LINES = [
    (2, 4, "Ada: When does the ferry to the mainland leave?"),
    (4.5, 6, "Ben: At half past six, from the old pier."),
    (60, 62, "Ada: My brother keeps bees behind the lighthouse."),
    (63, 65, "Ben: Does he sell the honey?"),
    (70, 73, "Ada: The honey costs nine euros a jar, the wax is free."),
    (150, 153, "Carla: The lighthouse has one hundred and seventy steps."),
    (160, 163, "Carla: I painted the door of the chapel blue."),
    (200, 203, "Ben: The captain of the ferry is called Ruth Anders."),
]


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("island") / "island.mp4"
    write_clock(path, fps=1, num_frames=240)
    cues = [f"{i}\n{stamp(start)} --> {stamp(end)}\n{text}\n" for i, (start, end, text) in enumerate(LINES, 1)]
    path.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")
    return path


def stamp(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"00:{whole // 60:02d}:{whole % 60:02d},{thousandths:03d}"


def ask(path: Path, question: str, choices: tuple[str, ...] = (), agent: object = None) -> Trace:
    agent = agent or Crop(num_frames=0, ocr=False)
    return asyncio.run(run(agent, Reader(), Sample("1", str(path), question, choices)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "words", "start"),
    [
        ("When does the ferry leave?", "half past six", 4.5),
        ("What does the honey cost?", "nine euros", 70),
        ("How many steps does the lighthouse have?", "one hundred and seventy", 150),
        ("Who is the captain of the ferry?", "Ruth Anders", 200),
        ("What colour was the chapel's door painted?", "blue", 160),
        ("Which animals live behind the lighthouse?", "bees", 60),
    ],
)
def test_it_answers_with_a_quote_and_its_span(island: Path, question: str, words: str, start: float) -> None:
    trace = ask(island, question)
    assert trace.answer is not None, trace.error
    assert words in trace.answer.text
    assert any(evidence.span.start <= start < evidence.span.end for evidence in trace.evidence)
    assert all(evidence.source == "subtitles" and evidence.quote for evidence in trace.evidence)
    assert trace.usage.cost_usd == 0
    assert [turn.calls[0].name for turn in trace.turns if turn.calls] == ["search_text", "read_text"]


@pytest.mark.parametrize(
    ("question", "choices", "letter"),
    [
        ("What does the brother keep?", ("sheep", "bees", "hens", "goats"), "B"),
        ("What colour is the chapel's door?", ("red", "green", "blue", "white"), "C"),
        ("How much is a jar of honey?", ("nine euros", "free", "six euros", "seventy euros"), "A"),
    ],
)
def test_it_picks_the_best_supported_option(island: Path, question: str, choices: tuple[str, ...], letter: str) -> None:
    trace = ask(island, question, choices)
    assert trace.answer is not None, trace.error
    assert trace.answer.text == letter
    assert trace.evidence


@pytest.mark.parametrize(
    "question",
    [
        "Which instrument does the violinist's teacher prefer?",
        "What is the name of Ruth's husband?",
        "Why did Ben kill Ada?",
        "What colour is the ferry?",
        "How many goats does the brother keep?",
        "?",
        "Why?",
    ],
)
def test_without_support_it_abstains_and_says_what_would_help(island: Path, question: str) -> None:
    trace = ask(island, question)
    assert (trace.stop_reason, trace.answer) == ("abstained", None)
    assert "--model" in (trace.error or "")


def test_options_nobody_mentions_are_not_guessed(island: Path) -> None:
    assert ask(island, "What does the brother keep?", ("ostriches", "llamas")).stop_reason == "abstained"


@pytest.mark.parametrize("choices", [("bees", "wax"), ("wax", "bees")])
def test_a_mention_alone_does_not_decide(tmp_path: Path, choices: tuple[str, ...]) -> None:
    path = tmp_path / "shop.mp4"
    write_clock(path, fps=1, num_frames=20)
    path.with_suffix(".srt").write_text(f"1\n{stamp(1)} --> {stamp(4)}\nHere are bees and wax.\n")
    assert ask(path, "What does Ann buy?", choices).stop_reason == "abstained"
    path.with_suffix(".srt").write_text(f"1\n{stamp(1)} --> {stamp(4)}\nAnn buys bees and wax.\n")
    assert ask(path, "What does Ann buy?", choices).stop_reason == "abstained"


def test_the_longer_of_two_like_options(tmp_path: Path) -> None:
    path = tmp_path / "cat.mp4"
    write_clock(path, fps=1, num_frames=20)
    path.with_suffix(".srt").write_text(f"1\n{stamp(1)} --> {stamp(4)}\nAnn found a black cat.\n")
    trace = ask(path, "What did Ann find?", ("a cat", "a black cat", "a dog"))
    assert trace.answer is not None, trace.error
    assert trace.answer.text == "B"


@pytest.mark.parametrize("max_turns", [1, 2, 3])
def test_it_heeds_the_last_turn(island: Path, max_turns: int) -> None:
    trace = ask(island, "What does the honey cost?", agent=Crop(num_frames=0, ocr=False, max_turns=max_turns))
    assert trace.stop_reason == ("answered" if max_turns > 1 else "abstained")


def test_a_video_without_words(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    write_clock(path, fps=1, num_frames=5)
    trace = ask(path, "Who speaks?")
    assert trace.stop_reason == "abstained"
    assert "--subtitles FILE" in (trace.error or "")


def test_it_reads_the_words_that_direct_shows(island: Path) -> None:
    trace = ask(island, "Who is the captain of the ferry?", agent=Direct(num_frames=0))
    assert trace.answer is not None
    assert "Ruth Anders" in trace.answer.text


def test_it_leads_a_team_to_the_right_clip_and_cannot_see(island: Path) -> None:
    trace = ask(island, "Who is the captain of the ferry?", agent=Team(Reader(), Reader()))
    assert trace.answer is not None, trace.error
    assert "Ruth Anders" in trace.answer.text
    assert [call.name for turn in trace.turns for call in turn.calls] == ["ground"]
    with pytest.raises(ModelError, match="--vision-model"):
        asyncio.run(Reader().generate([Message("user", ("Look at: the hat",))], tools=(), config=GenerateConfig()))


def test_it_is_deterministic(island: Path) -> None:
    first, second = ask(island, "What does the honey cost?"), ask(island, "What does the honey cost?")
    assert (first.answer, first.opening) == (second.answer, second.opening)


def test_it_has_no_variants() -> None:
    with pytest.raises(ConfigError):
        Reader.from_spec("large")


def test_words() -> None:
    assert stem("leaves") == stem("leave") == stem("leaving")
    assert stem("stopped") == stem("stop") == stem("stops")
    assert "the" not in content_words("the Ferry")
    assert coverage(content_words("When does the ferry leave?"), "The ferry leaves at six.") == 1
    assert coverage(content_words("What?"), "anything") == 0
    assert 0 < coverage(content_words("at night"), "tonight") < 1
    assert content_words("HONEY6.50") == {"honey": 1, "6.50": 1}
    assert about_writing("What does the sign at the door say?")
    assert not about_writing("Who opens the door?")
    for question, fits, misfits in (
        ("What time is it?", "at 6:30", "later"),
        ("How much does it cost?", "9 euros", "a jar"),
        ("How many are there?", "seven", "some"),
    ):
        form = expected_form(question)
        assert form is not None
        assert form.search(fits)
        assert not form.search(misfits)
    assert expected_form("Why?") is None
    name = names_asked("Who is it?")
    assert name is not None
    assert name.search("RUTH ANDERS")
    assert not name.search("a lamp")
    assert names_asked("Where is it?") is None
    near, far = "he found the green notebook", "he found a feather, a shell, a stone and a notebook"
    assert closeness(content_words("found notebook"), near) > closeness(content_words("found notebook"), far)
    assert wanted_words("What colour is the door?") == {"door": 1.0}
    assert wanted_words("What does the sign say?") == {}


def test_an_answer_is_narrowed_to_what_is_asked_for() -> None:
    board = "[00:00:01.0 - 00:00:09.0 | 1.0 - 9.0 s] screen: CAT LOST CALL 555 0142 / ROOM TO LET / 555 0187 / CHOIR"
    question = "Question: What is the phone number of the room to let?"
    message = Message("user", (f"{board}\n\n{question}",))
    output = asyncio.run(Reader().generate([message], tools=(), config=GenerateConfig()))
    assert "<answer>ROOM TO LET / 555 0187</answer>" in output.text
