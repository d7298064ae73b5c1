"""longtake answers questions about long videos and shows where the answer is.

    from longtake import ask
    trace = ask("film.mp4", "When does the red car stop?")
    print(trace.answer.text, trace.evidence[0].span)

Everything here is loaded when it is first used; importing the package loads no model, decoder or network library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .agents.ask import AskSettings, ask_async
    from .agents.loop import Agent, OnEvent
    from .errors import LongtakeError
    from .models.journaled import Limits
    from .types import JSON, Answer, Evidence, Frames, Message, Model, Sample, Score, TimeSpan, Trace, Turn, VideoInfo
    from .video.decode import Video

__all__ = [
    "Answer",
    "AskSettings",
    "Evidence",
    "Frames",
    "LongtakeError",
    "Message",
    "Sample",
    "Score",
    "TimeSpan",
    "Trace",
    "Turn",
    "Video",
    "VideoInfo",
    "ask",
    "ask_async",
    "evaluate",
]

_HOMES = {
    "AskSettings": "agents.ask",
    "ask_async": "agents.ask",
    "LongtakeError": "errors",
    "Video": "video.decode",
}


def ask(
    video: str | Path,
    question: str,
    *,
    choices: Sequence[str] = (),
    subtitles: str | Path | None = None,
    model: str | Model | None = None,
    agent: str | Agent | None = None,
    settings: AskSettings | None = None,
    save: str | Path | None = None,
    on_event: OnEvent | None = None,
) -> Trace:
    """`ask_async` for callers without an event loop; see there. In a notebook: ``await ask_async(...)``."""
    import asyncio

    from .agents.ask import ask_async

    _check_no_loop("ask(...)", "await ask_async(...)")
    return asyncio.run(
        ask_async(
            video,
            question,
            choices=choices,
            subtitles=subtitles,
            model=model,
            agent=agent,
            settings=settings,
            save=save,
            on_event=on_event,
        )
    )


def evaluate(
    benchmark: str, out: str | Path, *, limits: Limits | None = None, change: bool = False, **settings: Any
) -> dict[str, JSON]:
    """Measures an agent on a benchmark with ``out`` as the folder, as ``longtake eval run`` does; gives `metrics.json`.

    ``settings`` are those of `longtake.eval.settings.EvalSettings` and `AskSettings` by name: ``data=["rows.jsonl"],
    videos="films", agent="direct", model="openai:M", judge="openai:J", limit=100``. ``limits`` say how many calls there
    are at once and what they may cost (`longtake.models.journaled.Limits`). Given again, it goes on where it stopped,
    with other settings only if ``change``. Raises as `longtake.eval.run.evaluate_async`, which is this for callers
    with an event loop."""
    import asyncio
    from pathlib import Path

    from .eval.run import evaluate_async
    from .eval.settings import read_eval_settings

    _check_no_loop("evaluate(...)", "await longtake.eval.run.evaluate_async(...)")
    asked = read_eval_settings({"benchmark": benchmark, **settings})
    return asyncio.run(evaluate_async(asked, Path(out), limits=limits, change=change))


def _check_no_loop(called: str, instead: str) -> None:
    """Raises `ConfigError` in a place where nothing can be run to its end, such as a notebook."""
    import asyncio

    from .errors import ConfigError

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigError(f"an event loop is running here (a notebook?): use '{instead}' in place of '{called}'")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'longtake' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'types')}", __name__), name)
