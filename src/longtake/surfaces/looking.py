"""The commands that look into a video without a model: probe, frames, split, text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from ..clock import parse_seconds
from ..errors import ConfigError, VideoDecodeError
from .arguments import local_path, read_span
from .show import LiveRun, describe_video, plural
from .terminal import err, out, print_json

__all__ = ["JsonOption", "VideoArgument", "add_to"]

VideoArgument = Annotated[
    str, typer.Argument(help="A video file or a folder of frames; a URL if yt-dlp is installed.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

MAX_FRAMES = 100_000
BATCH = 32
SHEET_PIXELS = 320 * 320


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command(epilog=EXAMPLES["probe"])(probe)
    app.command(epilog=EXAMPLES["frames"])(frames)
    app.command(epilog=EXAMPLES["split"])(split)
    app.command(epilog=EXAMPLES["text"])(text)


EXAMPLES = {
    "probe": "[bold]Example[/]\n\nlongtake probe film.mp4 --json",
    "frames": "[bold]Examples[/]\n\nlongtake frames film.mp4 --uniform 16\n\n"
    "longtake frames film.mp4 --at 12.5 --at 1:02:03 --out frames/\n\n"
    "longtake frames film.mp4 --span 12:00-12:30 --fps 2",
    "split": "[bold]Examples[/]\n\nlongtake split film.mp4 --seconds 10\n\n"
    "longtake split film.mp4 --scenes --exact --out scenes/",
    "text": '[bold]Examples[/]\n\nlongtake text film.mp4\n\nlongtake text film.mp4 --search "ferry"\n\n'
    "longtake text film.mp4 --source screen --json",
}


def probe(video: VideoArgument, as_json: JsonOption = False) -> None:
    """What a video file is: length, size, tracks, and what is wrong with it."""
    from ..types import to_json
    from ..video.decode import Video

    opened = Video.open(local_path(video))
    if as_json:
        sys.stdout.write(to_json(opened.info, indent=2).decode() + "\n")
        return
    info = opened.info
    out.print(describe_video(info), soft_wrap=True)
    out.print(
        f"codec {info.codec}, {info.average_fps:.5g} frames a second, {len(opened.keyframe_seconds())} key frames"
    )
    out.print(f"audio {'yes' if info.has_audio else 'no'}")
    if info.chapters:
        ids = [chapter.id for chapter in info.chapters]
        out.print(escape(f"{plural(len(ids), 'chapter')}, {ids[0]} to {ids[-1]}"), soft_wrap=True)
    for track in info.subtitle_tracks:
        out.print(f"subtitles {track.codec} ({track.language or 'language not said'})")
    out.print(f"fingerprint {info.fingerprint}")
    for warning in info.warnings:
        out.print(f"[yellow]warning: {escape(warning)}[/]", soft_wrap=True)
    try:
        opened.check()
    except VideoDecodeError as e:
        out.print(f"[yellow]warning: {escape(str(e))}[/]", soft_wrap=True)


def frames(
    video: VideoArgument,
    at: Annotated[list[str] | None, typer.Option(help="A time: seconds or h:mm:ss. May be repeated.")] = None,
    span: Annotated[str | None, typer.Option(help="A span: START-END.")] = None,
    uniform: Annotated[int | None, typer.Option(help="This many frames over the whole video.")] = None,
    fps: Annotated[float, typer.Option(help="With --span: frames a second.")] = 1.0,
    max_pixels: Annotated[int | None, typer.Option(help="Pixels a frame may have.")] = None,
    output: Annotated[
        Path, typer.Option("--out", help="A .jpg for a contact sheet, or a folder for one file a frame.")
    ] = Path("frames.jpg"),
) -> None:
    """Take frames out of a video, exactly at the times asked for."""
    from PIL import Image

    from ..store import write_atomic
    from ..video.decode import Video
    from ..video.sample import by_fps
    from ..video.sample import uniform as uniform_seconds
    from ..video.sheet import contact_sheet, jpeg

    if [bool(at), span is not None, uniform is not None].count(True) != 1:
        raise ConfigError("give one of --at TIME, --span START-END or --uniform N")
    opened = Video.open(local_path(video))
    if span is not None:
        times = by_fps(opened.clamp(read_span(span)), fps, MAX_FRAMES)
    elif at:
        times = [parse_seconds(time) for time in at]
    else:
        times = uniform_seconds(opened.span, min(uniform or 0, MAX_FRAMES + 1))
    if len(times) > MAX_FRAMES:
        raise ConfigError(f"at most {MAX_FRAMES:,} frames at once, got {uniform:,}")
    if output.suffix.lower() in (".jpg", ".jpeg"):
        found = opened.frames_at(times, max_pixels=max_pixels or SHEET_PIXELS)
        write_atomic(output, jpeg(contact_sheet([(opened.path.name, found)])))
        out.print(f"{plural(len(found), 'frame')} on {escape(str(output))}", soft_wrap=True)
        return
    if output.suffix and not output.is_dir():
        raise ConfigError(f"--out takes a .jpg for a contact sheet, or a folder, got {output}")
    written = dict[float, Path]()  # by when a frame begins, so that no frame is written twice
    for start in range(0, len(times), BATCH):
        found = opened.frames_at(times[start : start + BATCH], max_pixels=max_pixels)
        for picture, begins, asked in zip(found.pixels, found.seconds, times[start : start + BATCH], strict=True):
            if begins not in written:
                written[float(begins)] = output / f"{opened.stem}_{asked:010.3f}.jpg"
                write_atomic(written[float(begins)], jpeg(Image.fromarray(picture), quality=95))
    out.print(f"{plural(len(written), 'frame')} in {escape(str(output))}/", soft_wrap=True)


def split(
    video: VideoArgument,
    seconds: Annotated[float | None, typer.Option(help="Length of a clip; 10 if neither this nor --scenes.")] = None,
    scenes: Annotated[bool, typer.Option("--scenes", help="One clip a scene.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Cut at the frame and encode what that needs; else at key frames, copied.")
    ] = False,
    output: Annotated[Path, typer.Option("--out", help="Folder for the clips.")] = Path("clips"),
    as_json: JsonOption = False,
) -> None:
    """Cut a video into clips of picture and sound; every frame is in exactly one of them."""
    from ..video.cut import Clip, cut
    from ..video.cut import split as split_evenly
    from ..video.decode import Video
    from ..video.scenes import detect

    if scenes and seconds is not None:
        raise ConfigError("give --seconds or --scenes, not both")
    opened = Video.open(local_path(video))
    mode = "exact" if exact else "copy"
    if opened.info.subtitle_tracks:
        err.print(
            f"{plural(len(opened.info.subtitle_tracks), 'subtitle track')} left out: clips hold picture and sound"
        )
    if seconds is not None and opened.info.duration_seconds > MAX_FRAMES * seconds > 0:
        raise ConfigError(f"clips of {seconds:g} s would be more than {MAX_FRAMES:,}; make them longer")

    def show(clip: Clip) -> None:
        err.print(f"{clip.path.name}  {plural(clip.num_frames, 'frame')}", soft_wrap=True)

    if scenes:
        clips = cut(opened, detect(opened), output, mode=mode, on_clip=show)
    else:
        clips = split_evenly(opened, output, seconds=10.0 if seconds is None else seconds, mode=mode, on_clip=show)
    if as_json:
        print_json(
            [{"path": str(c.path), "start": c.span.start, "end": c.span.end, "num_frames": c.num_frames} for c in clips]
        )
    else:
        frames_in_all = plural(sum(clip.num_frames for clip in clips), "frame")
        out.print(f"{plural(len(clips), 'clip')} in {escape(str(output))}/, {frames_in_all}", soft_wrap=True)


def text(
    video: VideoArgument,
    search: Annotated[str | None, typer.Option(help="Only the lines that match these words best.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="subtitles, screen or speech; subtitles if not given.")
    ] = None,
    subtitles: Annotated[Path | None, typer.Option(help="A subtitle file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every word of a video with its time: subtitles, writing in the picture, speech."""
    from ..agents.tools import cue_lines
    from ..types import to_json
    from ..video.decode import Video
    from ..video.text import TimedText

    opened = Video.open(local_path(video), subtitles=subtitles)
    words = TimedText(opened, ocr=True, asr=True)
    wanted: Any = tuple(source or (["subtitles"] if "subtitles" in words.sources() else words.sources()))
    with LiveRun(err).showing():
        cues = (
            [hit.cue for hit in words.search(search, sources=wanted)]
            if search
            else list(words.cues_in(opened.span, wanted))
        )
    for warning in words.warnings:
        err.print(f"[yellow]warning: {escape(warning)}[/]", soft_wrap=True)
    if as_json:
        print_json([orjson.loads(to_json(cue)) for cue in cues])
    elif cues:
        sys.stdout.write(cue_lines(cues) + "\n")
    else:
        err.print(
            f"no words found in {', '.join(wanted) or 'this video: it has no subtitles, and no extra to read it'}"
        )
