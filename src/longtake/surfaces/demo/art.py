"""The brush and the props of the sample video: a canvas with smooth edges, light, people, houses, boats, signs.

Knows nothing of the story and of scenes (`scenes`). Everything is drawn by fixed numbers, so the same call
gives the same pixels. Lengths are pixels of the finished picture, x to the right, y down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeAlias

from PIL import Image, ImageColor, ImageDraw, ImageFont

__all__ = [
    "HEIGHT",
    "LIGHTS",
    "WIDTH",
    "Canvas",
    "Light",
    "Mover",
    "boat",
    "ground",
    "gulls",
    "hill",
    "house",
    "lamp",
    "paper",
    "person",
    "rain",
    "room",
    "sea",
    "sign",
    "sky",
    "stall",
    "tree",
]

WIDTH, HEIGHT = 854, 480
_SHARP = 2
"""Pictures are drawn this many times larger and then reduced, which smooths the edges."""

Points: TypeAlias = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: colours of sky and sea, and the colour all other things are multiplied with."""

    sky_top: str
    sky_bottom: str
    sea_far: str
    sea_near: str
    shade: str = "#ffffff"
    lamps_on: bool = False


LIGHTS = {
    "dawn": Light("#6d86c4", "#ffd9b0", "#e9b7a0", "#4a6fa5", "#f4dcd6"),
    "day": Light("#5fb0e8", "#dff3fb", "#4fa3c7", "#1f6f9c"),
    "rain": Light("#6f7f8c", "#b3bec5", "#7d929d", "#4c6470", "#b9c3c9"),
    "dusk": Light("#4b3f72", "#ff9a62", "#d9776a", "#3d3f70", "#d79c8f", lamps_on=True),
    "night": Light("#0b1030", "#2b3a6b", "#24345f", "#0d1733", "#8d97c4", lamps_on=True),
}


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


class Canvas:
    """A picture being drawn, RGB, or RGBA if ``clear``. ``light`` dims every colour that does not ``glow``.

    ``phase`` counts the versions of a background that is drawn several times to make water and stars glitter."""

    def __init__(self, width: int, height: int, light: Light, *, clear: bool = True, phase: int = 0) -> None:
        self.width = width
        self.height = height
        self.light = light
        self.phase = phase
        self._image = Image.new("RGBA" if clear else "RGB", (width * _SHARP, height * _SHARP))
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def _ink(self, fill: str, glow: bool) -> tuple[int, int, int, int]:
        red, green, blue, *rest = ImageColor.getrgb(fill)
        alpha = rest[0] if rest else 255
        if glow:
            return red, green, blue, alpha
        by = ImageColor.getrgb(self.light.shade)
        return red * by[0] // 255, green * by[1] // 255, blue * by[2] // 255, alpha

    def box(self, x: float, y: float, w: float, h: float, fill: str, *, radius: float = 0, glow: bool = False) -> None:
        """``x, y`` is the top left corner."""
        edges = [x * _SHARP, y * _SHARP, (x + w) * _SHARP - 1, (y + h) * _SHARP - 1]
        self._draw.rounded_rectangle(edges, radius * _SHARP, self._ink(fill, glow))

    def oval(self, x: float, y: float, rx: float, ry: float, fill: str, *, glow: bool = False) -> None:
        """``x, y`` is the centre."""
        edges = [(x - rx) * _SHARP, (y - ry) * _SHARP, (x + rx) * _SHARP, (y + ry) * _SHARP]
        self._draw.ellipse(edges, self._ink(fill, glow))

    def shape(self, points: Points, fill: str, *, glow: bool = False) -> None:
        self._draw.polygon([(x * _SHARP, y * _SHARP) for x, y in points], self._ink(fill, glow))

    def line(self, points: Points, fill: str, width: float, *, glow: bool = False) -> None:
        scaled = [(x * _SHARP, y * _SHARP) for x, y in points]
        self._draw.line(scaled, self._ink(fill, glow), round(width * _SHARP), joint="curve")

    def text(self, x: float, y: float, text: str, size: float, fill: str, *, bold: bool = True) -> None:
        """``x, y`` is the middle of the text. Text is never dimmed: it is there to be read."""
        weight = round(size * _SHARP / 28) if bold else 0
        font = _font(round(size * _SHARP))
        self._draw.text((x * _SHARP, y * _SHARP), text, fill, font, anchor="mm", stroke_width=weight, stroke_fill=fill)

    def fade(self, y: float, h: float, top: str, bottom: str) -> None:
        """A band over the full width whose colour goes from ``top`` to ``bottom``. Never dimmed."""
        size = (self._image.width, round(h * _SHARP))
        ramp = Image.linear_gradient("L").resize(size)
        band = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)
        self._image.paste(band, (0, round(y * _SHARP)))

    def finish(self) -> Image.Image:
        """The picture, ``width`` by ``height``."""
        return self._image.resize((self.width, self.height), Image.Resampling.BOX)


# ------------------------------------------------------------------------------------------------------ views


def sky(c: Canvas, horizon: float) -> None:
    """Sky down to ``horizon``, with sun and clouds, or moon and stars."""
    light = c.light
    c.fade(0, horizon, light.sky_top, light.sky_bottom)
    if light is LIGHTS["night"]:
        for star in range(70):
            size = 0.8 + (star + c.phase) % 3 * 0.4
            c.oval(star * 331 % c.width, star * 197 % (horizon - 40), size, size, "#fff8d8", glow=True)
        c.oval(130, 76, 30, 30, "#fdf3c8", glow=True)
        for x, y, r in ((120, 68, 6), (141, 82, 8), (126, 92, 4)):
            c.oval(x, y, r, r, "#e6d9a6", glow=True)
        return
    if light is not LIGHTS["rain"]:
        low = light is not LIGHTS["day"]
        x, y = (600, horizon - 26) if low else (128, 84)
        c.oval(x, y, 62, 62, "#fff3b040", glow=True)
        c.oval(x, y, 40, 40, "#ffe9a0" if low else "#fff1a8", glow=True)
    for x, y, width in ((176, 58, 170), (330, 100, 110), (560, 44, 200)):
        for dx, dy, r in ((0.24, 0.32, 0.14), (0.44, 0.22, 0.19), (0.66, 0.27, 0.16), (0.8, 0.35, 0.11)):
            c.oval(x + width * dx, y + width * dy, width * r, width * r * 0.85, "#ffffff")
        c.box(x + width * 0.12, y + width * 0.3, width * 0.78, width * 0.16, "#ffffff", radius=width * 0.08)


def sea(c: Canvas, horizon: float, depth: float) -> None:
    """Water from ``horizon`` down, its crests elsewhere in each phase."""
    c.fade(horizon, depth, c.light.sea_far, c.light.sea_near)
    for row in range(int(depth) // 22):
        for column in range(9):
            x = (column * 101 + row * 57 + c.phase * 23) % (c.width + 40) - 20
            y, length = horizon + 10 + row * 22, 14 + row * 4 + (column + c.phase) % 3 * 5
            c.line([(x, y), (x + length / 2, y - 2), (x + length, y)], "#ffffff70", 2)


def ground(c: Canvas, y: float, fill: str, edge: str) -> None:
    """Flat land from ``y`` down."""
    c.box(0, y, c.width, c.height - y, fill)
    c.box(0, y, c.width, 7, edge)


def room(c: Canvas, wall: str, floor: str) -> None:
    """A room with a wooden floor, seen from the front."""
    c.box(0, 0, c.width, 360, wall)
    c.box(0, 344, c.width, 16, "#8b6b52")
    c.box(0, 360, c.width, c.height - 360, floor)
    for board in range(-4, 14):
        c.line([(board * 90 + 40, 360), (board * 110 - 60, c.height)], "#00000022", 2)


def paper(c: Canvas, x: float, y: float, w: float, h: float, text: str, size: float) -> None:
    """A note pinned to a board, ``text`` near its upper edge."""
    c.box(x + 4, y + 5, w, h, "#00000030")
    c.box(x, y, w, h, "#fffdf2")
    c.text(x + w / 2, y + size * 1.25, text, size, "#20303c")
    c.oval(x + w / 2, y + 4, 6, 6, "#d9463e")


# ---------------------------------------------------------------------------------------- things on a background


def hill(c: Canvas, points: Points, fill: str) -> None:
    """Land whose outline runs smoothly through ``points`` and which reaches down to the picture's edge."""
    outline: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        for step in range(17):
            part = step / 16
            outline.append((x0 + (x1 - x0) * part, y0 + (y1 - y0) * part * part * (3 - 2 * part)))
    c.shape([*outline, (points[-1][0], c.height), (points[0][0], c.height)], fill)


def house(c: Canvas, x: float, y: float, w: float, h: float, wall: str, roof: str = "#a3483f") -> None:
    """A house standing at ``y`` with its left wall at ``x``: two windows above, a window and a door below."""
    pane = "#ffd873" if c.light.lamps_on else "#cfe8f2"
    c.box(x + w * 0.74, y - h * 1.55, w * 0.1, h * 0.4, "#7d5a4f")
    c.shape([(x - w * 0.08, y - h), (x + w / 2, y - h * 1.55), (x + w * 1.08, y - h)], roof)
    c.box(x, y - h, w, h, wall)
    c.box(x, y - h, w, h * 0.05, "#8a7f78")
    for left, top in ((0.14, 0.86), (0.62, 0.86), (0.14, 0.44)):
        c.box(x + w * left - 3, y - h * top - 3, w * 0.24 + 6, h * 0.24 + 6, "#f6f1e7")
        c.box(x + w * left, y - h * top, w * 0.24, h * 0.24, pane, glow=c.light.lamps_on)
        c.line([(x + w * (left + 0.12), y - h * top), (x + w * (left + 0.12), y - h * (top - 0.24))], "#f6f1e7", 2)
    c.box(x + w * 0.62, y - h * 0.46, w * 0.24, h * 0.46, "#5b4636", radius=3)
    c.oval(x + w * 0.66, y - h * 0.22, 2, 2, "#e5c76b")


def tree(c: Canvas, x: float, y: float, size: float) -> None:
    """A round tree standing at ``x, y``, ``size`` high."""
    c.box(x - size * 0.06, y - size * 0.4, size * 0.12, size * 0.4, "#7a5640")
    for dx, dy, r, fill in ((0, 0.68, 0.3, "#3f8a4f"), (-0.17, 0.52, 0.2, "#37794a"), (0.17, 0.55, 0.2, "#4b9a58")):
        c.oval(x + size * dx, y - size * dy, size * r, size * r, fill)
    c.oval(x - size * 0.08, y - size * 0.78, size * 0.12, size * 0.1, "#5cab68")


def lamp(c: Canvas, x: float, y: float) -> None:
    """A street lamp standing at ``x, y``."""
    if c.light.lamps_on:
        c.oval(x, y - 132, 26, 26, "#ffe9a02c", glow=True)
    c.box(x - 3, y - 120, 6, 120, "#37414d")
    c.box(x - 10, y - 6, 20, 6, "#37414d", radius=3)
    c.oval(x, y - 132, 12, 14, "#ffe9a0" if c.light.lamps_on else "#e8edf0", glow=c.light.lamps_on)
    c.shape([(x - 14, y - 142), (x, y - 156), (x + 14, y - 142)], "#37414d")


def stall(c: Canvas, x: float, y: float, stripe: str, goods: str, price: str) -> None:
    """A market stall 200 wide standing at ``y``, with its ``price`` on a board."""
    for post in (x + 6, x + 188):
        c.box(post, y - 150, 6, 150, "#8a6a4a")
    for part in range(8):
        left = x + part * 25
        c.box(left, y - 178, 25, 34, stripe if part % 2 else "#fbf4e6")
        c.oval(left + 12.5, y - 144, 12.5, 9, stripe if part % 2 else "#fbf4e6")
    for row in range(2):
        for item in range(9):
            c.oval(x + 22 + item * 19.5 + row * 9, y - 68 + row * 8, 10, 9, goods)
    c.box(x, y - 62, 200, 62, "#a97c50")
    c.box(x, y - 62, 200, 6, "#c4956a")
    sign(c, x + 100, y - 32, price, 22, width=184)


def sign(
    c: Canvas, x: float, y: float, text: str, size: float, *, width: float, fill: str = "#fffdf5", ink: str = "#22303c"
) -> None:
    """A board with one line of ``text``; ``x, y`` is its middle."""
    height = size * 1.55
    c.box(x - width / 2 - 3, y - height / 2 - 3, width + 6, height + 6, "#5a4433", radius=6)
    c.box(x - width / 2, y - height / 2, width, height, fill, radius=4, glow=True)
    c.text(x, y, text, size, ink)


# ------------------------------------------------------------------------------------------- things that move


@dataclass(frozen=True, slots=True)
class Mover:
    """Something that moves: ``pictures`` take turns, each ``hold`` seconds; ``x, y`` is the top left corner at the
    start of the scene, ``speed`` its drift to the right in pixels a second, ``bob`` how far it goes up and down."""

    pictures: tuple[Image.Image, ...]
    x: float
    y: float
    speed: float = 0.0
    bob: float = 0.0
    bob_seconds: float = 4.0
    hold: float = 0.6

    def paste_on(self, picture: Image.Image, seconds: float) -> None:
        own = self.pictures[int(seconds / self.hold) % len(self.pictures)]
        swing = self.bob * math.sin(2 * math.pi * (seconds / self.bob_seconds + self.x / 300))
        picture.paste(own, (round(self.x + self.speed * seconds), round(self.y + swing)), own)


def person(coat: str, hair: str, skin: str, hat: str | None, light: Light) -> Image.Image:
    """Someone standing, 76 by 160."""
    c = Canvas(76, 160, light)
    for x in (27, 41):
        c.box(x, 108, 9, 46, "#3b4252", radius=3)
        c.box(x - 3, 150, 14, 8, "#2a2320", radius=3)
    c.shape([(26, 58), (50, 58), (60, 118), (16, 118)], coat)
    c.oval(38, 60, 13, 8, coat)
    for points in ([(28, 64), (18, 86), (20, 104)], [(48, 64), (58, 86), (56, 104)]):
        c.line(points, coat, 9)
        c.oval(*points[-1], 5, 5, skin)
    c.box(34, 46, 8, 14, skin)
    c.oval(38, 32, 18, 19, hair)
    c.oval(38, 35, 14.5, 16, skin)
    c.shape([(22, 32), (26, 17), (50, 17), (54, 32), (46, 24), (30, 24)], hair)
    for x in (32, 44):
        c.oval(x, 35, 2, 2.4, "#26201e")
    c.line([(33, 43), (38, 45.5), (43, 43)], "#9c4a44", 1.8)
    if hat:
        c.box(20, 15, 36, 6, hat, radius=3)
        c.box(25, 3, 26, 14, hat, radius=5)
    return c.finish()


def boat(name: str, hull: str, light: Light, *, length: int = 300) -> Image.Image:
    """A ferry seen from the side, ``length`` by 170, its ``name`` on the hull."""
    c = Canvas(length, 170, light)
    pane = "#ffd873" if light.lamps_on else "#bfe3f0"
    c.box(length * 0.52, 14, 34, 50, "#d9534f", radius=3)
    c.box(length * 0.52, 24, 34, 9, "#fdfdfd")
    c.box(length * 0.22, 52, length * 0.52, 56, "#fbfaf5", radius=6)
    c.box(length * 0.62, 36, length * 0.12, 20, "#fbfaf5", radius=4)
    c.box(length * 0.65, 40, length * 0.08, 11, pane, radius=2, glow=light.lamps_on)
    for window in range(5):
        c.box(length * (0.26 + window * 0.093), 66, 18, 16, pane, radius=3, glow=light.lamps_on)
    c.shape([(6, 100), (length - 2, 92), (length * 0.9, 164), (length * 0.1, 164)], hull)
    c.shape([(6, 100), (length - 2, 92), (length - 4, 99), (8, 107)], "#fdfdfd")
    c.text(length / 2, 130, name, 26, "#ffffff")
    return c.finish()


def rain(phase: int) -> Image.Image:
    """Streaks over the whole picture."""
    c = Canvas(WIDTH, HEIGHT, LIGHTS["day"])
    for drop in range(150):
        x = (drop * 397 + phase * 131) % (WIDTH + 40)
        y = (drop * 211 + phase * 173) % HEIGHT
        c.line([(x, y), (x - 5, y + 20)], "#e4eef580", 1.5)
    return c.finish()


def gulls(light: Light, spots: Sequence[tuple[float, float, float]]) -> list[Mover]:
    """Birds in the air; each spot is x, y and speed."""
    wings = (_gull(True, light), _gull(False, light))
    return [Mover(wings, x, y, speed=speed, bob=9, bob_seconds=5, hold=0.4) for x, y, speed in spots]


def _gull(wings_up: bool, light: Light) -> Image.Image:
    c = Canvas(44, 28, light)
    tip = 4 if wings_up else 20
    c.line([(2, tip), (13, 10), (22, 15), (31, 10), (42, tip)], "#ffffff", 3.5)
    c.oval(22, 15, 6, 3.5, "#ffffff")
    c.oval(28, 14, 2, 1.4, "#f0a030")
    return c.finish()
