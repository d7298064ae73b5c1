"""A generated video of six scenes in which something is said, and a model that can play every task on it."""

from __future__ import annotations

from pathlib import Path

from clips import solid, write_frames

SCENE_SECONDS = 4
LINES = (
    "The ferry to Lisbon leaves at half past six.",
    "My green umbrella was lost at the market.",
    "Nobody found the silver key under the carpet.",
    "Grandmother baked seven cherry pies yesterday.",
    "The lighthouse keeper speaks only Norwegian.",
    "A parrot escaped from the harbour office.",
)
_COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (200, 30, 200), (30, 200, 200))


def write_talk(path: Path) -> Path:
    """24 s at 10 frames a second: scene n has a colour of its own, and subtitles beside it say ``LINES[n]``."""
    num = SCENE_SECONDS * 10
    write_frames(path, ((i, solid(_COLOURS[i // num])) for i in range(num * len(LINES))), fps=10)
    cues = list[str]()
    for n, line in enumerate(LINES):
        start, end = SCENE_SECONDS * n + 0.5, SCENE_SECONDS * n + 3.0
        cues.append(f"{n + 1}\n00:00:{start:06.3f} --> 00:00:{end:06.3f}\n{line}\n".replace(".", ",", 2))
    path.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")
    return path
