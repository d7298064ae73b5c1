"""The class that lmms-eval makes for `--model longtake`. Translates its requests and results; decides nothing.

Loaded by lmms-eval only, through `lmms_eval.manifest`: importing it needs that package.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from importlib import import_module
from typing import Any

from ...errors import ConfigError
from .plugin import Player
from .request import Request, read_request

__all__ = ["Longtake"]

_Base: Any = import_module("lmms_eval.api.model").lmms
_instance: Any = import_module("lmms_eval.api.instance")


class Longtake(_Base):
    """A chat model: a task's messages hold the video and the whole text. ``batch_size`` and ``device`` mean nothing."""

    is_simple = False

    def __init__(self, batch_size: Any = 1, max_batch_size: Any = None, device: Any = None, **model_args: Any) -> None:
        del batch_size, max_batch_size, device
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._player = Player.of_arguments(model_args)

    def generate_until(self, requests: list[Any]) -> list[Any]:
        """One `GenerationResult` a request, in order. Raises `LongtakeError` when a question got no answer."""
        tqdm: Any = import_module("tqdm").tqdm
        asked = self._read(requests)
        with tqdm(total=len(asked), desc="longtake") as bar:
            outcomes = asyncio.run(self._player.answer_all(asked, bar.update))
        return [
            _instance.GenerationResult(
                outcome.text, _instance.TokenCounts(outcome.usage.input_tokens, outcome.usage.output_tokens)
            )
            for outcome in outcomes
        ]

    def _read(self, requests: list[Any]) -> list[Request]:
        times, found = Counter[tuple[str, int]](), list[Request]()
        for request in requests:
            _, to_messages, wishes, number, task, split = request.args
            doc = self.task_dict[task][split][number]
            found.append(read_request(to_messages(doc), wishes, id=f"{task}:{number}", repeat=times[task, number]))
            times[task, number] += 1
        return found

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        raise ConfigError(f"{_task(requests)} asks in several rounds; longtake answers one question at a time")

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        raise ConfigError(
            f"{_task(requests)} scores likelihoods of given answers; longtake's agents write answers: choose a task"
            " with output_type generate_until"
        )


def _task(requests: list[Any]) -> str:
    return f"the task {requests[0].task_name}" if requests else "the task"
