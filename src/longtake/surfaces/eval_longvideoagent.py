"""``longtake eval longvideoagent`` and ``ground-cache``: LongVideoAgent's evaluation and what it is prepared with.

Reads arguments, calls the core, prints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from .eval_print import print_metrics
from .evaluation import CoverageOption, print_result, read_eval_arguments
from .looking import JsonOption
from .seed_options import (
    BaseUrlOption,
    ChangeOption,
    CostOption,
    DatasetOption,
    FramesOption,
    LimitOption,
    OutOption,
    QuestionsOption,
    SetOption,
    SubsOption,
    ThreadsOption,
    check_paths,
    dataset_of,
    evaluate,
    key_variable,
    model_spec,
    run_folder,
    safe_name,
    say_files,
)
from .show import plural
from .terminal import err, out, print_json, until_done

if TYPE_CHECKING:
    from ..agents.ask import AskSettings
    from ..eval.settings import EvalSettings
    from ..models.journaled import Limits

__all__ = ["ground_cache", "longvideoagent"]

MAX_LISTED = 5


def longvideoagent(
    dataset: DatasetOption,
    questions_path: QuestionsOption,
    subs_path: SubsOption,
    base_frame_dir: FramesOption,
    main_model: Annotated[
        str,
        typer.Option(
            "--main-model", "--llm-path", help="The master: a name at its endpoint, ollama:NAME.", show_default=False
        ),
    ],
    grounding_model: Annotated[str | None, typer.Option(help="By default the master's.")] = None,
    vision_model: Annotated[str | None, typer.Option(help="By default the master's.")] = None,
    main_base_url: BaseUrlOption = None,
    grounding_base_url: Annotated[str | None, typer.Option(help="Its own endpoint; else the master's.")] = None,
    vision_base_url: Annotated[str | None, typer.Option(help="Its own endpoint; else the master's.")] = None,
    main_api_key: Annotated[str | None, typer.Option(help="Else $qdd_api, else $OPENAI_API_KEY.")] = None,
    grounding_api_key: Annotated[str | None, typer.Option(help="Else $qdd_api, else $OPENAI_API_KEY.")] = None,
    vision_api_key: Annotated[str | None, typer.Option(help="Else $aliyun_api, else $OPENAI_API_KEY.")] = None,
    max_turn: Annotated[int, typer.Option("--max-turn", "--max_turn", "-t", min=1, help="Turns of the master.")] = 5,
    threads: ThreadsOption = 30,
    grounding_cache_json_path: Annotated[
        Path | None, typer.Option(help="Clips found beforehand; questions not in it are grounded first.")
    ] = None,
    output_filename: Annotated[Path | None, typer.Option(help="The summary: eval_DATASET_MODEL.json.")] = None,
    detailed_output_filename: Annotated[Path | None, typer.Option(help="Every conversation.")] = None,
    checkpoint_step: Annotated[
        str, typer.Option("--checkpoint-step", "--checkpoint_step", "-c", help="Noted only.")
    ] = "api",
    limit: LimitOption = None,
    max_cost: CostOption = None,
    min_coverage: CoverageOption = None,
    out_: OutOption = None,
    set_: SetOption = None,
    change: ChangeOption = False,
    as_json: JsonOption = False,
    bbox_json_path: Annotated[Path | None, typer.Option(hidden=True)] = None,
    gpu_memory_utilization: Annotated[
        float | None, typer.Option("--gpu-memory-utilization", "--gpu_memory_utilization", "-g", hidden=True)
    ] = None,
) -> None:
    """LongVideoAgent's unified evaluation: a master that reads, with a grounding and a vision agent, on whole episodes.

    Every question is grounded first, from the cache or by the grounding model; one whose grounding fails begins in the
    first clip of its episode. The temperature is 0.6 and replies have 1,024 tokens, as there; --set changes both."""
    from ..eval.seed_files import Unified, write_unified
    from ..models.journaled import Limits

    if bbox_json_path is not None:
        err.print("--bbox-json-path is not used: labels of boxes come from the gold annotation and name the answer")
    if gpu_memory_utilization is not None:
        err.print("--gpu_memory_utilization is not used: give it to the server of the model")
    check_paths({"--questions-path": questions_path, "--subs-path": subs_path, "--base-frame-dir": base_frame_dir})
    if grounding_cache_json_path is not None:
        check_paths({"--grounding-cache-json-path": grounding_cache_json_path})
    main, grounding, vision = (
        model_spec(name) if name else None for name in (main_model, grounding_model, vision_model)
    )
    given = {
        "data": (str(questions_path),),
        "subtitles": str(subs_path),
        "videos": str(base_frame_dir),
        "agent": "team",
        "model": main,
        "base_url": main_base_url,
        "grounding_model": grounding,
        "grounding_base_url": grounding_base_url,
        "vision_model": vision,
        "vision_base_url": vision_base_url,
        "api_key_env": key_variable("main", main, main_api_key, "qdd_api"),
        "grounding_api_key_env": key_variable("grounding", grounding or main, grounding_api_key, "qdd_api"),
        "vision_api_key_env": key_variable("vision", vision or main, vision_api_key, "aliyun_api"),
        "max_turns": max_turn,
        "limit": limit,
        "min_coverage": min_coverage,
    }
    settings = read_eval_arguments(dataset_of(dataset), given, assignments=[*_TEAM_SETTINGS, *(set_ or [])])
    summary = output_filename or Path(f"eval_{dataset}_{safe_name(main_model)}.json")
    detail = detailed_output_filename or summary.with_name(f"data_log_{summary.name}")
    run = out_ or run_folder(summary)
    limits = Limits(threads, max_cost)
    settings, first_usage = _ground_first(settings, run, grounding_cache_json_path, limits, change)
    if max_cost is not None:  # it is of both
        limits = replace(limits, max_cost_usd=max(0.0, max_cost - (first_usage.get("cost_usd") or 0.0)))
    told = Unified(dataset, checkpoint_step, main_model, max_turn, first_usage)
    metrics = evaluate(settings, run, lambda opened: write_unified(opened, told, summary, detail), limits, change)
    if not as_json:
        say_files(summary, detail)
    print_result(run, metrics, as_json=as_json)


_TEAM_SETTINGS = ["temperature=0.6", "max_tokens=1024", 'agent_options.clips="chapters"', "agent_options.num_frames=15"]
"""LongVideoAgent's own; 15 frames of a clip are what it shows its vision agent."""


def _ground_first(
    settings: EvalSettings, run: Path, cache: Path | None, limits: Limits, change: bool
) -> tuple[EvalSettings, Mapping[str, Any]]:
    """``settings`` with caches that know every question that could be grounded, and what that cost."""
    from ..eval.ground_cache import failures_path, read_ground_cache, write_ground_cache
    from ..eval.run import check_models, num_to_ground

    caches = () if cache is None else (str(cache),)
    grounding = settings.model_copy(update={"ask": _grounding_ask(settings.ask), "ground_cache": caches})
    if not (num := num_to_ground(grounding)):
        return settings.model_copy(update={"ground_cache": caches}), {}
    found = run.with_name(f"{run.name}-grounding") / "cache.json"
    until_done(check_models(settings))  # before groundings are paid for
    err.print(f"grounding {plural(num, 'question')} first")
    metrics = evaluate(grounding, found.parent, lambda opened: write_ground_cache(opened, found), limits, change)
    if failures_path(found).exists():
        err.print(f"begin in the first clip of their episode: the questions in {failures_path(found)}", soft_wrap=True)
    if read_ground_cache(found).by_id:
        caches = (*caches, str(found))
    return settings.model_copy(update={"ground_cache": caches}), metrics["usage"]


def _grounding_ask(ask: AskSettings) -> AskSettings:
    """The settings of the team's grounding agent by itself."""
    own_endpoint = ask.grounding_base_url is not None
    same = ask.grounding_model is None or ask.grounding_model.partition(":")[0] == ask.model.partition(":")[0]
    shared = same and not own_endpoint
    return ask.model_copy(
        update={
            "agent": "ground",
            "model": ask.grounding_model or ask.model,
            "base_url": ask.grounding_base_url or (ask.base_url if same else None),
            "api_key_env": ask.grounding_api_key_env or (ask.api_key_env if shared else None),
            "model_options": ask.model_options if same else {},
            "agent_options": {"clips": "chapters"},
            "grounding_model": None,
            "grounding_base_url": None,
            "grounding_api_key_env": None,
            "vision_model": None,
            "vision_base_url": None,
            "vision_api_key_env": None,
            "max_turns": None,
            "max_pixels": None,
        }
    )


def ground_cache(
    dataset: DatasetOption,
    questions_path: QuestionsOption,
    subs_path: SubsOption,
    base_frame_dir: FramesOption,
    grounding_model: Annotated[str, typer.Option(help="A name at its endpoint, ollama:NAME.", show_default=False)],
    output_dir: Annotated[Path, typer.Option(help="Gets the cache; the run lies beside it.", show_default=False)],
    grounding_base_url: BaseUrlOption = None,
    grounding_api_key: Annotated[str | None, typer.Option(help="Else $qdd_api, else $OPENAI_API_KEY.")] = None,
    output_filename: Annotated[str | None, typer.Option(help="By default grounding_cache_DATASET_MODEL.json.")] = None,
    threads: ThreadsOption = 8,
    max_samples: Annotated[int, typer.Option(min=0, help="Only the first so many questions; 0 for all.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a reply.")] = 1024,
    temperature: Annotated[float, typer.Option(min=0, help="Of sampling.")] = 0.6,
    max_cost: CostOption = None,
    set_: SetOption = None,
    change: ChangeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build LongVideoAgent's grounding cache: question -> clip, by the grounding model alone, ready to be resumed.

    A grounding that fails is not in it, but in the file .failed.json beside it; the same command tries again what
    got no reply. --json prints the number of clips found, the failures and what was spent."""
    from ..eval.ground_cache import write_ground_cache
    from ..eval.regrade import open_evaluation
    from ..models.journaled import Limits

    check_paths({"--questions-path": questions_path, "--subs-path": subs_path, "--base-frame-dir": base_frame_dir})
    spec = model_spec(grounding_model)
    given = {
        "data": (str(questions_path),),
        "subtitles": str(subs_path),
        "videos": str(base_frame_dir),
        "agent": "ground",
        "model": spec,
        "base_url": grounding_base_url,
        "api_key_env": key_variable("grounding", spec, grounding_api_key, "qdd_api"),
        "limit": max_samples or None,
        "max_tokens": max_tokens,
        "temperature": temperature,
    }
    settings = read_eval_arguments(dataset_of(dataset), given, assignments=[_CHAPTERS, *(set_ or [])])
    target = output_dir / (output_filename or f"grounding_cache_{dataset}_{safe_name(grounding_model)}.json")
    run = run_folder(target)
    metrics = evaluate(
        settings, run, lambda opened: write_ground_cache(opened, target), Limits(threads, max_cost), change
    )
    made = write_ground_cache(asyncio.run(open_evaluation(run)), target)
    if as_json:
        print_json({"cache": str(target), "found": made.num_found, "failed": made.failed, "usage": metrics["usage"]})
    else:
        print_metrics([(run.name, metrics)])
        out.print(f"{plural(made.num_found, 'clip')} found, {len(made.failed)} failed")
        for id_, why in list(made.failed.items())[:MAX_LISTED]:
            out.print(f"[dim]{escape(id_)}: {escape(why)}[/]", soft_wrap=True)
        say_files(target)
    if made.failed:
        raise typer.Exit(1)


_CHAPTERS = 'agent_options.clips="chapters"'
