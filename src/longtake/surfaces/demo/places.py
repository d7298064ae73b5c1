"""The places of the sample video, one function each: draws what stands still, returns what moves.

What is written there is handed in from `story`; the props come from `art`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from PIL import Image

from . import art
from .art import HEIGHT, WIDTH, Canvas, Mover

__all__ = ["PLACES", "Place"]

Place: TypeAlias = Callable[[Canvas, tuple[str, ...]], list[Mover]]
"""Gets the canvas and the texts of the scene's signs."""


# ------------------------------------------------------------------------------------------------------ places


def _title(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 300)
    art.hill(c, [(500, 300), (610, 270), (740, 230), (800, 250), (854, 244)], "#5d7f5f")
    c.box(732, 158, 18, 74, "#f7f2ea")
    c.box(728, 144, 26, 16, "#d9463e")
    art.sea(c, 300, 180)
    c.text(345, 196, signs[0], 46, "#ffffff")
    return art.gulls(c.light, [(60, 250, 13), (180, 110, 10), (-60, 90, 16)])


def _station(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    town, platform = signs
    art.sky(c, 330)
    art.hill(c, [(0, 260), (180, 214), (400, 262), (620, 206), (854, 250)], "#7fae7c")
    for post in (60, 300, 560, 800):
        c.box(post, 96, 10, 300, "#3f5a4a")
    c.shape([(0, 60), (854, 60), (830, 100), (24, 100)], "#4d7a63")
    art.sign(c, 180, 136, town, 30, width=256, fill="#1f4e79", ink="#ffffff")
    art.sign(c, 690, 136, platform, 24, width=180)
    train = Canvas(420, 150, c.light)
    train.box(0, 10, 400, 120, "#b5403a", radius=22)
    train.box(0, 82, 400, 10, "#f6e7c8")
    for window in range(5):
        train.box(24 + window * 74, 34, 54, 36, "#cfe8f2", radius=5)
    for wheel in range(6):
        train.oval(44 + wheel * 62, 134, 15, 15, "#2e2b2b")
    c.box(0, 386, WIDTH, 30, "#6d6459")
    c.box(0, 400, WIDTH, 5, "#b8b0a5")
    art.ground(c, 416, "#c9bca6", "#f2d35c")
    return [Mover((train.finish(),), 470, 248, speed=0.0, bob=0.8, bob_seconds=0.9)]


def _departures(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    c.box(0, 0, WIDTH, HEIGHT, "#7d8d94")
    c.box(76, 50, 702, 380, "#2b3338", radius=14)
    c.text(WIDTH / 2, 98, signs[0], 40, "#ffd45e")
    for row, text in enumerate(signs[1:]):
        c.box(104, 146 + row * 88, 646, 70, "#161c20", radius=6)
        c.text(WIDTH / 2, 181 + row * 88, text, 30, "#ffffff", bold=False)
    blink = Canvas(14, 14, c.light)
    blink.oval(7, 7, 6, 6, "#ff7a45")
    return [Mover((blink.finish(), Image.new("RGBA", (14, 14))), 112, 90, hold=1.0)]


def _pier(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    ship, board = signs
    art.sky(c, 240)
    art.sea(c, 240, 180)
    hull = "#b23b3b" if ship == "MARIGOLD" else "#2d6073"
    movers = [Mover((art.boat(ship, hull, c.light, length=330),), 500, 200, bob=3)]
    c.box(0, 396, WIDTH, 84, "#9b7653")
    for plank in range(12):
        c.line([(plank * 80, 398), (plank * 88 - 40, HEIGHT)], "#6d5138", 2)
    c.box(0, 392, WIDTH, 8, "#b98f66")
    for post in (40, 250, 800):
        c.box(post, 366, 18, 60, "#5d432e", radius=4)
    c.box(150, 200, 8, 196, "#5a4433")
    art.sign(c, 170, 190, board, 23, width=296, fill="#1f4e79", ink="#ffffff")
    art.lamp(c, 310, 396)
    return [*movers, *art.gulls(c.light, [(60, 90, 11), (330, 60, 8)])]


def _crossing(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 230)
    art.hill(c, [(560, 230), (650, 196), (720, 206), (800, 178), (854, 190)], "#86a88f")
    art.sea(c, 230, 250)
    ferry = art.boat(signs[0], "#b23b3b", c.light, length=380)
    movers = [Mover((ferry,), 40, 214, speed=7.5, bob=5, bob_seconds=3.4)]
    foam = Canvas(400, 34, c.light)
    for bubble in range(26):
        foam.oval(8 + bubble * 15.4, 18 + bubble % 3 * 3, 13, 8, "#ffffffc0")
    movers.append(Mover((foam.finish(),), 30, 362, speed=7.5, bob=3, bob_seconds=2.1))
    return [*movers, *art.gulls(c.light, [(20, 120, 9), (-60, 170, 10), (110, 70, 8), (-140, 96, 11), (240, 140, 7)])]


def _harbour(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    welcome, people, ship = signs
    art.sky(c, 250)
    art.hill(c, [(0, 190), (160, 140), (380, 178), (600, 120), (854, 176)], "#6f9f6b")
    walls = ("#f3d9b1", "#c7dfe6", "#f0b8a0", "#e6e0f0", "#d5e5b5", "#f6e7c0")
    for index, wall in enumerate(walls):
        art.house(c, 30 + index * 140, 262 + index % 2 * 6, 96, 84 + index % 3 * 12, wall)
    c.box(0, 264, WIDTH, 16, "#8e8478")
    art.sea(c, 280, 130)
    movers = [Mover((art.boat(ship, "#3c7a57", c.light, length=270),), 20, 226, bob=3, bob_seconds=3.6)]
    art.ground(c, 404, "#b7a88f", "#d8ccb4")
    c.box(700, 300, 8, 110, "#5a4433")
    art.sign(c, 690, 296, welcome, 20, width=300, fill="#f9f3df")
    art.sign(c, 690, 340, people, 18, width=200, fill="#f9f3df")
    art.lamp(c, 322, 410)
    return [*movers, *art.gulls(c.light, [(500, 60, 9), (90, 100, 12)])]


def _market(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 250)
    art.hill(c, [(0, 220), (250, 180), (520, 226), (854, 190)], "#7fae7c")
    for index, wall in enumerate(("#f0d2b8", "#dbe7ee", "#f5e2a8", "#e3cfe0")):
        art.house(c, 60 + index * 205, 306, 120, 110, wall)
    for tie in range(22):
        c.shape([(tie * 40, 92), (tie * 40 + 22, 92), (tie * 40 + 11, 116)], ("#d9463e", "#f2c14e", "#3f8fbf")[tie % 3])
    c.line([(0, 92), (WIDTH, 92)], "#ffffff", 2)
    art.ground(c, 300, "#cdbfa6", "#bcae94")
    goods = (("#c0392f", "#d0342c"), ("#e0a32e", "#d98c1f"), ("#3f8fbf", "#9fb4bf"))
    for index, (text, (stripe, fruit)) in enumerate(zip(signs, goods, strict=True)):
        x = (24, 572, 300)[index]
        art.stall(c, x, 446 if index < 2 else 304, stripe, fruit, text)
    return []


def _notices(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    poster, choir, room, number = signs
    c.box(0, 0, WIDTH, HEIGHT, "#8fb08b")
    c.box(46, 34, 700, 420, "#6e4f35", radius=8)
    c.box(62, 50, 668, 388, "#c99f6c")
    art.paper(c, 96, 76, 440, 210, poster, 27)
    for x in (296, 336):
        c.shape([(x - 16, 172), (x - 10 if x < 316 else x + 10, 126), (x + 16, 172)], "#e08f3a")
    c.line([(350, 270), (392, 262), (400, 226), (388, 214)], "#e08f3a", 12)
    c.oval(316, 252, 44, 33, "#e08f3a")
    c.oval(316, 262, 22, 22, "#f4d9b0")
    c.oval(316, 182, 46, 38, "#e08f3a")
    for x in (298, 334):
        c.oval(x, 176, 7, 9, "#f6f5d8")
        c.oval(x, 177, 3, 7, "#20201c")
    c.shape([(310, 192), (322, 192), (316, 199)], "#b0554a")
    for y in (194, 203):
        for side in (-1, 1):
            c.line([(316 + side * 14, 198), (316 + side * 62, y)], "#5f4326", 1.5)
    art.paper(c, 90, 324, 460, 76, choir, 23)
    art.paper(c, 560, 176, 156, 190, "", 20)
    c.text(638, 226, room, 19, "#20303c")
    c.text(638, 270, number, 19, "#20303c")
    c.box(0, 456, WIDTH, 24, "#6c8f68")
    return []


def _bakery(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    name, bread = signs
    art.room(c, "#f4e3c8", "#c08a5a")
    art.sign(c, 250, 52, name, 32, width=330, fill="#7a3b2e", ink="#fff4dc")
    for shelf in range(3):
        y = 142 + shelf * 70
        c.box(50, y, 250, 10, "#8a6040")
        for loaf in range(5):
            c.oval(78 + loaf * 48, y - 14, 21, 14, ("#c98a45", "#8f5a2e", "#dba65e")[shelf])
            c.oval(74 + loaf * 48, y - 19, 12, 5, "#f3d9a860")
    c.box(344, 112, 196, 150, "#8a6248", radius=4)
    c.box(352, 120, 180, 134, "#a9d8ee")
    c.oval(496, 148, 16, 16, "#fff1a8")
    c.shape([(352, 254), (352, 214), (410, 190), (470, 220), (532, 196), (532, 254)], "#7fae7c")
    c.box(438, 120, 7, 134, "#8a6248")
    c.box(600, 110, 180, 150, "#9b9189", radius=8)
    c.box(618, 150, 144, 88, "#3a2a22", radius=8)
    c.box(628, 160, 124, 68, "#ff9a3c", radius=6, glow=True)
    for roll in range(4):
        c.oval(652 + roll * 26, 212, 12, 9, "#a8652f")
    c.box(560, 356, 270, 124, "#a5673f")
    c.box(550, 344, 290, 16, "#d9a877", radius=4)
    art.sign(c, 695, 410, bread, 24, width=220)
    steam = [Canvas(60, 90, c.light) for _ in range(2)]
    for side, puff in zip((-1, 1), steam, strict=True):
        puff.line([(30, 88), (30 + side * 8, 66), (30 - side * 8, 42), (30 + side * 6, 16)], "#ffffff90", 5)
    return [Mover(tuple(puff.finish() for puff in steam), 660, 26, hold=0.8)]


def _signpost(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 300)
    art.hill(c, [(0, 250), (220, 170), (480, 240), (700, 150), (854, 200)], "#8fbf85")
    c.box(700, 108, 14, 60, "#f7f2ea")
    c.box(697, 98, 20, 12, "#d9463e")
    art.hill(c, [(0, 330), (260, 280), (520, 330), (854, 290)], "#74ad6b")
    c.shape([(330, HEIGHT), (520, HEIGHT), (470, 380), (520, 330), (498, 330), (420, 384)], "#dcc79c")
    for x, y, size in ((60, 350, 130), (780, 360, 150), (20, 430, 90), (700, 420, 80)):
        art.tree(c, x, y, size)
    for flower in range(60):
        x, y = flower * 137 % WIDTH, 392 + flower * 53 % 84
        c.oval(x, y, 3, 3, ("#f2d35c", "#ffffff", "#d96a8a")[flower % 3])
    c.box(224, 150, 14, 290, "#6b4a30")
    for row, text in enumerate(signs):
        y, point = 176 + row * 56, 1 if row % 2 else -1
        tip = 231 + point * 142
        c.shape([(tip - point * 24, y - 21), (tip, y), (tip - point * 24, y + 21)], "#fff6e0", glow=True)
        c.box(231 - 120, y - 21, 240, 42, "#fff6e0", glow=True)
        c.text(231, y, text, 23, "#3b2a1c")
    return art.gulls(c.light, [(500, 70, 9)])


def _cliffs(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 210)
    art.sea(c, 210, 270)
    c.shape([(0, 150), (200, 176), (290, 250), (330, 380), (360, HEIGHT), (0, HEIGHT)], "#b5aca0")
    for crack in range(6):
        c.line([(40 + crack * 50, 210 + crack * 20), (70 + crack * 46, 330), (50 + crack * 54, HEIGHT)], "#978d82", 3)
    c.shape([(0, 140), (205, 168), (300, 246), (280, 262), (190, 196), (0, 176)], "#6fae68")
    art.hill(c, [(0, 420), (240, 424), (560, 404), (854, 430)], "#6fae68")
    c.oval(668, 344, 70, 20, "#7f8a86")
    c.oval(650, 338, 40, 12, "#97a29d")
    c.box(656, 410, 8, 60, "#5a4433")
    art.sign(c, 676, 412, signs[0], 22, width=340, fill="#ffdf6b")
    heron = Canvas(60, 110, c.light)
    heron.line([(26, 70), (26, 106)], "#c98a45", 3)
    heron.line([(34, 70), (34, 106)], "#c98a45", 3)
    heron.oval(28, 60, 20, 13, "#8d9aa6")
    heron.line([(42, 54), (46, 30), (40, 16)], "#c3ccd3", 6)
    heron.oval(40, 13, 7, 5, "#c3ccd3")
    heron.shape([(46, 10), (60, 15), (46, 16)], "#f0a030")
    movers = [Mover((heron.finish(),), 640, 226, bob=1.2, bob_seconds=3)]
    spots = [(60, 110, 8.0), (160, 60, 11.0), (380, 130, -5.0), (600, 90, -9.0), (250, 190, 6.0), (700, 40, -7.0)]
    return [*movers, *art.gulls(c.light, spots)]


def _chapel(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    name, year = signs
    art.sky(c, 320)
    art.hill(c, [(0, 300), (300, 262), (600, 300), (854, 270)], "#6f9a68")
    c.box(120, 190, 240, 220, "#e6dfd2")
    c.shape([(100, 196), (240, 104), (380, 196)], "#5f6672")
    c.box(206, 60, 68, 80, "#e6dfd2")
    c.shape([(198, 62), (240, 8), (282, 62)], "#5f6672")
    c.box(232, 78, 16, 26, "#3f444d", radius=8)
    for x in (146, 316):
        c.box(x, 250, 26, 70, "#8fb7d6", radius=13)
    c.box(206, 300, 68, 110, "#5b4636", radius=30)
    c.box(206, 350, 68, 60, "#5b4636")
    art.sign(c, 640, 236, name, 23, width=336)
    art.sign(c, 640, 282, year, 20, width=160)
    for x in (560, 720):
        c.box(x - 4, 300, 8, 106, "#5a4433")
    art.ground(c, 404, "#7b8f6a", "#8ba278")
    c.box(580, 404, 200, 12, "#7a5640", radius=3)
    for x in (596, 752):
        c.box(x, 414, 10, 34, "#5d432e")
    for puddle in ((120, 446, 60), (480, 466, 70), (700, 470, 50)):
        c.oval(puddle[0], puddle[1], puddle[2], 7, "#a8bcc6")
    return []


def _cafe(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    name, heading, menu = signs
    art.room(c, "#d4e3df", "#b98e64")
    art.sign(c, 250, 54, name, 30, width=380, fill="#1d3d5c", ink="#ffe9a0")
    for x in (70, 250):
        c.box(x - 6, 116, 152, 152, "#f6f1e7", radius=4)
        c.box(x, 122, 140, 140, "#9fd0e6")
        c.box(x, 206, 140, 56, "#3f8fae")
        c.line([(x + 70, 122), (x + 70, 262)], "#f6f1e7", 5)
    c.box(560, 120, 270, 110, "#2f3b36", radius=6)
    c.text(695, 150, heading, 20, "#f2d35c")
    c.text(695, 192, menu, 22, "#ffffff", bold=False)
    for x in (110, 650):
        c.oval(x + 40, 372, 92, 14, "#8a5f3f")
        c.box(x + 34, 376, 12, 82, "#6d4830")
        c.oval(x + 14, 362, 20, 8, "#fbfaf5")
        c.box(x + 50, 348, 16, 16, "#d9574a", radius=3)
    lamp_shade = Canvas(90, 130, c.light)
    lamp_shade.line([(45, 0), (45, 70)], "#40444a", 3)
    lamp_shade.shape([(45, 60), (84, 108), (6, 108)], "#e0a32e")
    lamp_shade.oval(45, 110, 12, 9, "#fff6c8")
    return [Mover((lamp_shade.finish(),), 452, -8, bob=1.2, bob_seconds=5)]


def _office(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    plate, room, hours = signs
    art.room(c, "#dcd6c4", "#9d8a72")
    c.box(70, 80, 200, 282, "#6b4a35", radius=4)
    c.box(82, 92, 176, 268, "#8a6248")
    for y in (170, 270):
        c.box(100, y, 140, 76, "#7a553d", radius=4)
    c.oval(242, 236, 7, 7, "#e5c76b")
    art.sign(c, 170, 128, room, 26, width=130, fill="#e9d79a")
    art.sign(c, 500, 62, plate, 32, width=340, fill="#1f4e79", ink="#ffffff")
    art.sign(c, 700, 128, hours, 20, width=224)
    c.box(372, 126, 176, 132, "#6b4a35", radius=3)
    c.box(378, 132, 164, 120, "#9fd0e6")
    c.shape([(400, 220), (420, 170), (470, 150), (520, 176), (526, 214), (470, 236)], "#d9cf9a")
    c.shape([(416, 212), (432, 176), (470, 162), (506, 184), (466, 222)], "#8fbf85")
    c.oval(490, 190, 4, 4, "#d9463e")
    for shelf in range(2):
        y = 226 + shelf * 84
        c.box(580, y, 250, 9, "#8a6040")
    c.line([(610, 226), (610, 168)], "#3f5f9a", 5)
    c.shape([(590, 222), (610, 164), (630, 222)], "#3f5f9a")
    c.box(680, 180, 22, 46, "#4d3a2c", radius=4)
    c.box(680, 210, 44, 16, "#4d3a2c", radius=6)
    c.oval(780, 214, 34, 12, "#4d9a58")
    for parcel in range(4):
        c.box(592 + parcel * 60, 276, 46, 34, ("#c99f6c", "#b98a5a")[parcel % 2], radius=2)
        c.line([(615 + parcel * 60, 276), (615 + parcel * 60, 310)], "#f6f1e7", 3)
    c.box(560, 392, 294, 88, "#7a553d")
    c.box(548, 380, 306, 14, "#a97c50")
    hand = [Canvas(60, 60, c.light) for _ in range(2)]
    for second, face in enumerate(hand):
        face.oval(30, 30, 28, 28, "#40444a")
        face.oval(30, 30, 24, 24, "#fffdf5")
        face.line([(30, 30), (30, 14)], "#20303c", 3)
        face.line([(30, 30), (42 + second, 36 - second * 3)], "#20303c", 3)
    return [Mover(tuple(face.finish() for face in hand), 300, 100, hold=1.0)]


def _bicycles(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    art.sky(c, 300)
    art.hill(c, [(0, 240), (260, 190), (560, 246), (854, 200)], "#7fae7c")
    c.box(40, 150, 300, 260, "#c98f5a")
    c.shape([(16, 156), (190, 76), (364, 156)], "#4f6a78")
    c.box(120, 250, 140, 160, "#5b4636")
    art.sign(c, 190, 194, signs[0], 25, width=270)
    c.box(640, 190, 8, 220, "#5a4433")
    art.sign(c, 660, 186, signs[1], 25, width=240, fill="#ffdf6b")
    art.ground(c, 404, "#b7b08f", "#cfc8a8")
    for x, paint in ((620, "#d9463e"), (730, "#3f7fbf"), (150, "#4d9a58")):
        for wheel in (0, 74):
            c.oval(x + wheel, 420, 28, 28, "#2b2b2e")
            c.oval(x + wheel, 420, 23, 23, "#b7b08f")
        c.line([(x, 420), (x + 22, 384), (x + 60, 384), (x + 34, 420), (x, 420)], paint, 5)
        c.line([(x + 22, 384), (x + 34, 420)], paint, 5)
        c.line([(x + 74, 420), (x + 58, 372), (x + 48, 370)], paint, 5)
        c.box(x + 12, 374, 22, 6, "#3a2a22", radius=3)
    art.tree(c, 500, 404, 120)
    return art.gulls(c.light, [(420, 60, 8)])


def _lighthouse(c: Canvas, signs: tuple[str, ...]) -> list[Mover]:
    name, year = signs
    art.sky(c, 300)
    art.sea(c, 300, 120)
    art.hill(c, [(0, 350), (240, 330), (520, 380), (854, 400)], "#5f8f5a")
    c.shape([(132, 400), (228, 400), (212, 130), (148, 130)], "#fbf7ee")
    for band in (180, 270, 356):
        c.shape(
            [(145 - (band - 130) * 0.05, band), (215 + (band - 130) * 0.05, band), (220, band + 36), (140, band + 36)],
            "#d9463e",
        )
    c.box(138, 122, 84, 10, "#40444a")
    c.box(154, 84, 52, 40, "#fff1a8", glow=True)
    c.shape([(146, 86), (180, 54), (214, 86)], "#d9463e")
    c.box(164, 350, 32, 50, "#5b4636", radius=12)
    art.house(c, 236, 402, 96, 78, "#e9dfc8")
    art.ground(c, 398, "#5c6f52", "#6c8060")
    art.sign(c, 670, 290, name, 26, width=310)
    art.sign(c, 670, 338, year, 24, width=180)
    for x in (560, 780):
        c.box(x - 4, 312, 8, 100, "#5a4433")
    beams: list[Image.Image] = []
    for reach in (648, 430, 160, 40, 160, 430):
        beam = Canvas(680, 130, c.light)
        beam.shape([(0, 62), (reach, 62 - reach * 0.09), (reach, 62 + reach * 0.09), (0, 70)], "#fff1a850", glow=True)
        beams.append(beam.finish())
    return [Mover(tuple(beams), 206, 42, hold=0.4)]


PLACES: dict[str, Place] = {
    "title": _title,
    "station": _station,
    "departures": _departures,
    "pier": _pier,
    "crossing": _crossing,
    "harbour": _harbour,
    "market": _market,
    "notices": _notices,
    "bakery": _bakery,
    "signpost": _signpost,
    "cliffs": _cliffs,
    "chapel": _chapel,
    "cafe": _cafe,
    "office": _office,
    "bicycles": _bicycles,
    "lighthouse": _lighthouse,
}
