"""Times, sources and answers in the words of questions."""

from __future__ import annotations

import time

import pytest

from longtake.datagen.steps.wording import other_letter, sources_in, speaks_of_video, times_in

MOMENTS = [
    "What happens at 0:12?",
    "What is dropped 12 seconds into the video?",
    "Who comes 2 hours into the film?",
    "What is seen at the two-minute mark?",
    "What is seen at the 30-second mark?",
    "What falls between 75.0 and 80.0?",
    "What falls between 12 and 18 s?",
    "What happens in the first 30 seconds?",
    "What happens after 2 minutes?",
    "What happens at 75s?",
    "What happens an hour in?",
    "Around one minute in, what falls?",
    "What is shown at 1 h 10?",
    "What is said at minute 2?",
    "Which timestamp shows the boat?",
    "What happens in the last two minutes of the video?",
    "A broom (12.5 s)",
]
NO_MOMENTS = [
    "What did they wear in the 1960s?",
    "What is heard after 10 seconds of silence?",
    "What does the sign that says 5 minutes stand on?",
    "How long does he hold his breath, 5 s or 40 s?",
    "How many seconds does he hold his breath?",
    "What is written on bus 12 to Sutton?",
    "Who scores in the last two minutes of the game?",
    "Which team leads 2-1 at the end?",
    "What does a 30 second timer stand on?",
]


@pytest.mark.parametrize("text", MOMENTS)
def test_a_moment_named_by_its_time_is_found(text: str) -> None:
    assert times_in(text)
    assert not times_in(text, None)


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_a_length_of_time_is_no_moment(text: str) -> None:
    assert times_in(text) == []


def test_a_time_that_the_video_shows_may_be_named_as_a_whole() -> None:
    assert times_in("When does the 18:30 leave?", "The board says 18:30.") == []
    assert times_in("What is said at 5 s?", "It lasts at 5 sec") == ["at 5 s"]
    assert times_in("the 8:30 train", "The board says 18:30.") == ["8:30"]


def test_an_option_that_is_a_time_and_nothing_else_is_a_moment_unless_lengths_are_asked_for() -> None:
    assert times_in("12 s", of="When does he wave?") == ["12 s"]
    assert times_in("12 s", of="How long does he wave?") == []


SOURCES = {
    "According to the captions, what falls?": "According to the video, what falls?",
    "According to the descriptions, what falls?": "According to the video, what falls?",
    "according to the provided video captions": "according to the video",
    "As mentioned in the summary, she leaves.": "As mentioned in the video, she leaves.",
    "The captions show a boat.": "The video shows a boat.",
    "the video's description says so": "the video says so",
    "In event 3, who falls?": "In the video, who falls?",
    "as stated in captions 3 and 4": None,
    "Caption 3 mentions it.": "The video mentions it.",
    "Who is named in the description?": "Who is named in the video?",
    "Based on the notes, he sings.": "Based on the video, he sings.",
}
NO_SOURCES = [
    "The caption at the bottom of the screen reads 'BREAKING'. Closed captions are on.",
    "He plays the notes of a song.",
    "Which events follow the storm?",
    "the captain is recaptioned",
    "Who notes the number down?",
    "What happens in the event of a fire?",
]


@pytest.mark.parametrize("text", SOURCES)
def test_what_was_written_about_the_video_is_no_source(text: str) -> None:
    assert sources_in(text)
    made = speaks_of_video(text)
    assert sources_in(made) == []
    assert made == SOURCES[text] or SOURCES[text] is None


@pytest.mark.parametrize("text", NO_SOURCES)
def test_captions_and_notes_of_the_video_itself_are_left_alone(text: str) -> None:
    assert sources_in(text) == []
    assert speaks_of_video(text) == text


def test_where_the_video_shows_captions_they_may_be_asked_about() -> None:
    known = "A caption on the screen names the speaker."
    assert sources_in("The caption says Fritz.", known) == []
    assert speaks_of_video("The caption says Fritz.", known) == "The caption says Fritz."


ANOTHER = [
    "Therefore the correct answer is C.",
    "So the answer must be C, the cow.",
    "The answer: C",
    "**Answer: C**",
    "Hence option C is correct.",
    "so C is the right answer",
    "So the answer is (C) since it is dark.",
    "Therefore option C.",
    "the right option is C",
]
NOT_ANOTHER = [
    "Therefore the correct answer is B.",
    "Option C is wrong, since nobody sings.",
    "C is not correct.",
    "The answer is not C.",
    "The answer is A candle on the table.",
    "Vitamin C is the best for him.",
    "If the lamp were on, C would be the answer to it.",
    "The answer is Carl.",
]


@pytest.mark.parametrize("text", ANOTHER)
def test_another_letter_that_is_called_the_answer_is_found(text: str) -> None:
    assert other_letter(text, "B", "ABCD") == "C"
    assert other_letter(text, "C", "ABCD") is None


@pytest.mark.parametrize("text", NOT_ANOTHER)
def test_a_letter_that_is_not_called_the_answer_is_none(text: str) -> None:
    assert other_letter(text, "B", "ABCD") is None


@pytest.mark.parametrize(
    "text", ["the video " * 3000, "answer is " * 3000, "1 " * 9000, "at one s " * 3000, " " * 20000]
)
def test_runs_of_anything_are_read_in_no_time(text: str) -> None:
    begin = time.process_time()
    times_in(text), sources_in(text), speaks_of_video(text), other_letter(text, "A", "ABCD")
    assert time.process_time() - begin < 2
