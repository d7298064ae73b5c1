"""The endpoint of `endpoint.py` itself: steady replies that the recipes can read, every failure, an honest ledger."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from endpoint import JSON_POISONS, OUTAGES, POISONS, QUESTION_POISONS, Endpoint, running_endpoint
from endpoint_replies import answer_to, moment_of
from longtake.agents.prompt import render
from longtake.agents.replies import read_final
from longtake.datagen.steps.asking import content_of
from longtake.datagen.steps.filters import read_verdicts
from longtake.datagen.steps.parse import read_question
from longtake.datagen.steps.questions import read_draft
from longtake.datagen.steps.reformat import read_reformatted
from longtake.datagen.steps.verdicts import read_score, read_yes_no
from longtake.datagen.values import Question
from longtake.errors import FormatError, RejectedError
from longtake.models.heard import Heard
from longtake.models.openai import EndpointOptions, OpenAIModel
from longtake.types import Answer, GenerateConfig, Message, ModelOutput, TimeSpan, ToolSpec

LINES = "From 0.0 to 10.0 s: A tall baker opens a gate. It rains.\nFrom 10.0 to 20.0 s: A calm diver folds a map."
QUESTION_FIELDS = {
    "type": "plot", "about": "plot", "length": "20.0", "letter": "C", "descriptions": LINES, "count": "9", "part": "",
}  # fmt: skip
DRAFT_FIELDS = {
    "events": LINES, "start": "0.0", "end": "20.0", "count": "9", "max_question_words": "50", "max_answer_words": "25",
}  # fmt: skip
CROP = ToolSpec("crop_video", "Looks.", {"type": "object", "properties": {"start_time": {"type": "number"}}})


def model_at(endpoint: Endpoint) -> OpenAIModel:
    options = EndpointOptions(idle_seconds=0.2, max_attempts=12)
    return OpenAIModel("tiny", base_url=endpoint.base_url, options=options)


async def ask(model: OpenAIModel, *messages: str | Message, tools: Sequence[ToolSpec] = ()) -> ModelOutput:
    said = [Message("user", (each,)) if isinstance(each, str) else each for each in messages]
    return await Heard(model).generate(said, tools=tools, config=GenerateConfig())


def question_prompt(number: int) -> str:
    return render("data_question", number=str(number), **QUESTION_FIELDS)


def draft_prompt(number: int) -> str:
    return render("data_event_question", number=str(number), **DRAFT_FIELDS)


# -------------------------------------------------------------------------------------------------- good replies


async def test_replies_do_not_depend_on_order_or_process(tmp_path: Path) -> None:
    prompts = [f"Task: caption\nclip {n}" for n in range(8)]
    said = list[list[str]]()
    for order in (prompts, prompts[::-1]):
        with running_endpoint(ledger=tmp_path / f"{len(said)}.jsonl", seed=3) as endpoint:
            outputs = await asyncio.gather(*(ask(model_at(endpoint), prompt) for prompt in order))
        said.append(sorted(output.text for output in outputs))
    assert said[0] == said[1]
    assert len(set(said[0])) == 8


async def test_every_task_gets_a_reply_that_can_be_used(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl") as endpoint:
        model = model_at(endpoint)

        async def said(name: str, **fields: str) -> str:
            return content_of(await ask(model, render(f"data_{name}", **fields)), max_tokens=9)

        question = read_question(await said("question", number="1", **QUESTION_FIELDS), "plot", duration_seconds=20.0)
        notes = {"question": question.question, "options": "C. x", "answer": "C", "reasoning": question.reasoning}
        reformatted = await said("reformat", **notes)
        draft = read_draft(await said("event_question", number="1", **DRAFT_FIELDS), TimeSpan(0, 20))
        row = {"index": 0, "question": draft.question, "answer": draft.answer, "start_time": 1.0, "end_time": 2.0}
        rows = "\n".join(json.dumps(row | {"index": index}) for index in range(4))
        verdicts = read_verdicts(
            await said("text_filter", summary="s", questions=rows, max_questions="3"), [draft] * 4, 3
        )
        looked = {"start": "1.0", "end": "2.0", "words": "none", "question": draft.question, "answer": draft.answer}
        assert read_score(await said("visual_filter", **looked)) > 0
        assert read_yes_no(await said("same_event", first=LINES, second=LINES)) in (True, False)
        assert "A tall baker opens a gate." in await said("merge_captions", first=LINES, second=LINES)
        assert "A calm diver folds a map." in await said("summary", events="Event 1. " + LINES)
        assert "A calm diver folds a map." in await said("merge_summaries", summaries="Events 1 to 8. " + LINES)
        assert len(await said("caption", num_frames="2", span="1 - 2 s", words="none")) > 50
        assert read_final(await ask(model, render("data_blind", question=f"Question: {question.question}")))
        repair = render("data_repair", problem="it is bad", task=question_prompt(5), reply="ANSWER: H")
        assert read_question(content_of(await ask(model, repair), max_tokens=9), "plot").answer == "C"
        assert endpoint.hows() == Counter(ok=12)
    assert (question.answer, question.options[2]) == ("C", answer_to(question.question))
    assert "POISON" not in read_reformatted(reformatted, question)
    assert draft.answer == answer_to(draft.question)
    assert draft.spans == (TimeSpan(*(moment_of(draft.question) or ())),)
    assert sorted(verdict.rank or 0 for verdict in verdicts) == [0, 1, 2, 3]


async def test_an_agent_looks_at_the_moment_and_knows_the_answer(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl") as endpoint:
        model = model_at(endpoint)
        draft = read_draft((await ask(model, draft_prompt(1))).text, TimeSpan(0, 20))
        for options in ("", f"\nOptions:\nA. copper moon\nB. {draft.answer}"):
            opening = [Message("system", ("Look.",)), Message("user", (f"Question: {draft.question}{options}",))]
            first = await ask(model, *opening, tools=[CROP])
            (call,) = first.message.tool_calls
            assert TimeSpan(call.arguments["start_time"], call.arguments["end_time"]) == draft.spans[0]  # type: ignore[arg-type]
            result = Message("tool", ("2 frames",), tool_call_id=call.id)
            final = read_final(await ask(model, *opening, first.message, result, tools=[CROP]))
            assert isinstance(final, Answer)
            assert final.text == ("B" if options else draft.answer)
            assert final.evidence[0].span.iou(draft.spans[0]) > 0.9


# ------------------------------------------------------------------------------------------------------ failures


async def test_every_outage_heals_and_leaves_the_replies_as_they_are(tmp_path: Path) -> None:
    prompts = [f"Task: caption\nclip {n}" for n in range(40)]
    with running_endpoint(ledger=tmp_path / "good.jsonl") as endpoint:
        good = [(await ask(model_at(endpoint), prompt)).text for prompt in prompts]
    given = {"failure_rate": 0.8, "kinds": OUTAGES, "stall_seconds": 1.0}
    with running_endpoint(ledger=tmp_path / "bad.jsonl", **given) as endpoint:  # type: ignore[arg-type]
        model = model_at(endpoint)
        outputs = await asyncio.gather(*(ask(model, prompt) for prompt in prompts))
        hows = endpoint.hows()
    assert [output.text for output in outputs] == good
    assert set(hows) == {"ok", *OUTAGES}
    assert hows["ok"] == 40


async def test_every_poison_is_the_same_each_time_and_never_content(tmp_path: Path) -> None:
    kinds = {*POISONS, *QUESTION_POISONS, *JSON_POISONS}
    prompts = [question_prompt(n) for n in range(60)] + [draft_prompt(n) for n in range(40)]
    with running_endpoint(ledger=tmp_path / "ledger.jsonl", failure_rate=1.6, kinds=sorted(kinds)) as endpoint:
        model = model_at(endpoint)
        first, second = [await asyncio.gather(*(ask(model, prompt) for prompt in prompts)) for _ in range(2)]
        assert endpoint.hows().total() == 2 * len(prompts)
        entries = endpoint.entries("answered")
    assert [output.text for output in first] == [output.text for output in second]
    assert {entry.how for entry in entries} == {"ok", *kinds}
    assert len({(entry.digest, entry.how) for entry in entries}) == len(prompts)
    used = list[Question]()
    for number, output in enumerate(first):
        try:
            said = content_of(output, max_tokens=9)
            used.append(read_question(said, "plot") if number < 60 else read_draft(said, TimeSpan(0, 20)))
        except (FormatError, RejectedError):
            assert "POISON" in output.text
    assert 20 < len(used) < 100
    assert not [question for question in used if "POISON" in repr(question)]


async def test_more_at_once_than_the_limit_is_refused_and_heals(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl", latency_seconds=0.05, in_flight_limit=4) as endpoint:
        model = model_at(endpoint)
        outputs = await asyncio.gather(*(ask(model, f"Task: caption\n{n}") for n in range(24)))
        assert len({output.text for output in outputs}) == 24
        assert endpoint.hows()["over the limit"] > 0


async def test_what_the_wire_format_forbids_is_refused(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl") as endpoint:
        async with aiohttp.ClientSession() as session:
            url = f"{endpoint.base_url}/chat/completions"
            async with session.post(url, json={"model": "m", "messages": [{"role": "user", "odd": 1}]}) as response:
                assert response.status == 400
        assert [how[:9] for how in endpoint.hows()] == ["refused: "]


# -------------------------------------------------------------------------------------------------------- ledger


async def test_the_ledger_tells_requests_that_came_twice_and_those_never_answered(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl", latency_seconds=0.5) as endpoint:
        model = model_at(endpoint)
        await asyncio.gather(ask(model, "one"), ask(model, "one"), ask(model, "two"))
        waiting = asyncio.create_task(ask(model, "three"))
        await asyncio.sleep(0.2)
        received, answered = endpoint.entries("received"), endpoint.entries("answered")
        assert sorted(Counter(entry.digest for entry in received).values()) == [1, 1, 2]
        assert [entry.number for entry in received] == [1, 2, 3, 4]
        assert {entry.number for entry in answered} == {1, 2, 3}
        await waiting


def test_the_endpoint_ends_with_the_block(tmp_path: Path) -> None:
    with running_endpoint(ledger=tmp_path / "ledger.jsonl") as endpoint:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", endpoint.base_url)
    with pytest.raises(ProcessLookupError):
        os.kill(endpoint.pid, 0)
