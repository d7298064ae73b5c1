"""``longtake eval``: the seed projects' own evaluations under their own arguments. Reads arguments, calls the core.

Each is a run like any other, in a folder of its own, and beside it the files that users of the project know.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from . import eval_longvideoagent as agent
from .evaluation import CoverageOption, print_result, read_eval_arguments
from .looking import JsonOption
from .seed_options import (
    BaseUrlOption,
    ChangeOption,
    CostOption,
    FramesOption,
    LimitOption,
    ModelOption,
    OutOption,
    QuestionsOption,
    SetOption,
    SubsOption,
    ThreadsOption,
    check_paths,
    evaluate,
    model_spec,
    run_folder,
    say_files,
)

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command("longvideo-reason", epilog=EXAMPLES["longvideo-reason"])(longvideo_reason)
    app.command("longvideoagent", epilog=EXAMPLES["longvideoagent"])(agent.longvideoagent)
    app.command("tvqa-baseline", epilog=EXAMPLES["tvqa-baseline"])(tvqa_baseline)
    app.command("ground-cache", epilog=EXAMPLES["ground-cache"])(agent.ground_cache)


EXAMPLES = {
    "longvideo-reason": "[bold]Example[/]\n\nlongtake eval longvideo-reason --model-path MODEL --base-url URL "
    "--data-path LongVideo-Reason/longvideo-reason@test --video-dir videos/ --output-dir runs_MODEL",
    "longvideoagent": "[bold]Example[/]\n\nlongtake eval longvideoagent --dataset tvqa_plus --main-model A "
    "--main-base-url URL --grounding-model B --vision-model C --questions-path LongTVQA_plus_val.jsonl --subs-path "
    "LongTVQA_plus_subtitle_clip_level.jsonl --base-frame-dir bbt_frames --max_turn 5 --threads 30",
    "tvqa-baseline": "[bold]Example[/]\n\nlongtake eval tvqa-baseline --questions-path tvqa_plus_val.json --subs-path "
    "subtitles.json --base-frame-dir bbt_frames --model MODEL --threads 10 --output-filename eval_tvqa.json",
    "ground-cache": "[bold]Examples[/]\n\nlongtake eval ground-cache --dataset tvqa_plus --questions-path train.json "
    "--subs-path subtitles.json --base-frame-dir bbt_frames --grounding-model M --output-dir cache/\n\n"
    "longtake eval run longtvqa+ --data val.json --videos bbt_frames --subtitles subtitles.json --agent team "
    "--model openai:M --ground-cache cache/grounding_cache_tvqa_plus_M.json --out run",
}


def longvideo_reason(
    model_path: Annotated[
        str,
        typer.Option(
            help="A name at the endpoint (of a checkpoint: vllm serve PATH), ollama:NAME.", show_default=False
        ),
    ],
    data_path: Annotated[str, typer.Option(help="REPO@SPLIT on the hub, or a local file.", show_default=False)],
    video_dir: Annotated[Path, typer.Option(help="Where longvila_videos or its shards lie.", show_default=False)],
    output_dir: Annotated[
        Path, typer.Option(help="Gets the files; the run is in its folder longtake.", show_default=False)
    ],
    base_url: BaseUrlOption = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the video.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, up to --frames.")] = None,
    max_pixels: Annotated[int | None, typer.Option(help="Pixels a frame may have.")] = None,
    threads: ThreadsOption = 32,
    limit: LimitOption = None,
    max_cost: CostOption = None,
    min_coverage: CoverageOption = None,
    set_: SetOption = None,
    change: ChangeOption = False,
    as_json: JsonOption = False,
) -> None:
    """LongVideo-Reason's test (Long-RL eval.py): accuracy and format accuracy, one output a question."""
    from ..eval.seed_files import write_longvideo_reason
    from ..models.journaled import Limits

    check_paths({"--video-dir": video_dir})
    given = {
        **_data_of(data_path),
        "videos": str(video_dir),
        "agent": "think",
        "model": model_spec(model_path),
        "base_url": base_url,
        "frames": frames,
        "fps": fps,
        "max_pixels": max_pixels,
        "limit": limit,
        "min_coverage": min_coverage,
    }
    settings = read_eval_arguments("longvideo-reason-eval", given, assignments=set_)
    run = output_dir / "longtake"
    metrics = evaluate(
        settings, run, lambda opened: write_longvideo_reason(opened, output_dir), Limits(threads, max_cost), change
    )
    if not as_json:
        say_files(output_dir / "outputs.jsonl", output_dir / "metrics.json")
    print_result(run, metrics, as_json=as_json)


def _data_of(data_path: str) -> dict[str, Any]:
    """``REPO@SPLIT`` or a local file or folder, also with ``@SPLIT``."""
    name, _, split = data_path.partition("@")
    if Path(data_path).exists():
        return {"data": (data_path,)}
    if Path(name).exists():
        return {"data": (name,), "split": split}
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or Path(name).suffix in (".json", ".jsonl", ".parquet"):
        raise ConfigError(f"--data-path {data_path}: there is no such file; give one, or REPO@SPLIT of the hub")
    return {"data": (f"hf:{name}",), "split": split or None}


def tvqa_baseline(
    questions_path: QuestionsOption,
    subs_path: SubsOption,
    output_filename: Annotated[Path, typer.Option(help="The file with the results.", show_default=False)],
    base_frame_dir: FramesOption,
    model: ModelOption,
    threads: ThreadsOption,
    base_url: BaseUrlOption = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of the episode.")] = 16,
    limit: LimitOption = None,
    max_cost: CostOption = None,
    min_coverage: CoverageOption = None,
    out_: OutOption = None,
    set_: SetOption = None,
    change: ChangeOption = False,
    as_json: JsonOption = False,
) -> None:
    """LongVideoAgent's API baseline on TVQA and TVQA+: frames, subtitles and question of an episode in one call.

    The temperature is 0.6 and replies have 2,500 tokens, as there; --set changes both."""
    from ..eval.seed_files import write_baseline
    from ..models.journaled import Limits

    check_paths({"--questions-path": questions_path, "--subs-path": subs_path, "--base-frame-dir": base_frame_dir})
    given = {
        "data": (str(questions_path),),
        "subtitles": str(subs_path),
        "videos": str(base_frame_dir),
        "agent": "direct",
        "model": model_spec(model),
        "base_url": base_url,
        "frames": frames,
        "limit": limit,
        "min_coverage": min_coverage,
    }
    own = ["temperature=0.6", "max_tokens=2500", "max_pixels=200704"]
    settings = read_eval_arguments("longtvqa", given, assignments=[*own, *(set_ or [])])
    run = out_ or run_folder(output_filename)
    metrics = evaluate(
        settings, run, lambda opened: write_baseline(opened, output_filename), Limits(threads, max_cost), change
    )
    if not as_json:
        say_files(output_filename)
    print_result(run, metrics, as_json=as_json)
