"""The picture of a scene of the sample video at any second of it.

The places are drawn by `places`; here people, weather and the clock come in. No files, no encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from . import art
from .art import HEIGHT, LIGHTS, WIDTH, Canvas, Mover
from .places import PLACES
from .story import CAST, Scene

__all__ = ["Stage", "clock", "frame", "stage"]


_NUM_PHASES = 3
_PHASE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A scene ready to be shown at any second of it: ``backgrounds`` that take turns, and what moves before them."""

    backgrounds: tuple[Image.Image, ...]
    movers: tuple[Mover, ...]


def stage(scene: Scene) -> Stage:
    """Everything of ``scene`` that has to be drawn only once."""
    light = LIGHTS[scene.light]
    backgrounds: list[Image.Image] = []
    movers: list[Mover] = []
    for phase in range(_NUM_PHASES):
        canvas = Canvas(WIDTH, HEIGHT, light, clear=False, phase=phase)
        movers = PLACES[scene.picture](canvas, scene.signs)
        backgrounds.append(canvas.finish())
    for index, name in enumerate(scene.people):
        look = CAST[name]
        figure = art.person(look.coat, look.hair, look.skin, look.hat, light)
        movers.append(Mover((figure,), 350 + index * 96, 306 - index * 4, bob=1.6, bob_seconds=1.9 + index * 0.5))
    if scene.light == "rain":
        movers.append(Mover(tuple(art.rain(phase) for phase in range(4)), 0, 0, hold=0.2))
    return Stage(tuple(backgrounds), tuple(movers))


def clock(second: int) -> Image.Image:
    """The clock in the corner, ``mm:ss`` of the video."""
    c = Canvas(92, 34, LIGHTS["day"])
    c.box(0, 0, 92, 34, "#14202bd0", radius=8)
    c.text(46, 17, f"{second // 60:02d}:{second % 60:02d}", 23, "#ffffff", bold=False)
    return c.finish()


def frame(of: Stage, seconds: float, corner: Image.Image) -> Image.Image:
    """The picture ``seconds`` after the scene began, RGB, with ``corner`` (a `clock`) in its corner."""
    picture = of.backgrounds[int(seconds / _PHASE_SECONDS) % len(of.backgrounds)].copy()
    for mover in of.movers:
        mover.paste_on(picture, seconds)
    picture.paste(corner, (WIDTH - corner.width - 14, 14), corner)
    return picture
