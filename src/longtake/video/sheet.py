"""Contact sheets: several frames on one picture, each with its time. Draws; does not decode."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ..clock import clock
from ..errors import ConfigError
from ..types import Frames

__all__ = ["contact_sheet", "jpeg"]

_GAP = 4
_MAX_SIDE = 65000
_LABEL_HEIGHT = 18


def contact_sheet(groups: Sequence[tuple[str, Frames]], *, columns: int = 4, cell_width: int = 320) -> Image.Image:
    """One row or more for each ``(title, frames)``, at most ``columns`` frames of ``cell_width`` pixels wide."""
    font = ImageFont.load_default(size=13)
    rows = list[tuple[str, list[tuple[Image.Image, str]]]]()
    for title, frames in groups:
        height = max(1, round(cell_width * frames.height / frames.width))
        cells = [
            (Image.fromarray(picture).resize((cell_width, height)), clock(float(seconds)))
            for picture, seconds in zip(frames.pixels, frames.seconds, strict=True)
        ]
        for start in range(0, len(cells), columns):
            rows.append((title if start == 0 else "", cells[start : start + columns]))
    width = max((len(cells) for _, cells in rows), default=1) * (cell_width + _GAP) + _GAP
    heights = [_row_height(title, cells) for title, cells in rows]
    sheet = Image.new("RGB", (width, max(1, sum(heights)) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for (title, cells), height in zip(rows, heights, strict=True):
        if title:
            draw.text((_GAP, top), _fitted(title, width, font), fill="black", font=font)
        at = top + (_LABEL_HEIGHT if title else 0)
        for column, (picture, label) in enumerate(cells):
            left = _GAP + column * (cell_width + _GAP)
            draw.text((left, at), label, fill="black", font=font)
            sheet.paste(picture, (left, at + _LABEL_HEIGHT))
        top += height
    return sheet


def jpeg(image: Image.Image, *, quality: int = 85) -> bytes:
    """``image`` as a JPEG file. Raises `ConfigError` for one that is too large for it."""
    if max(image.size) > _MAX_SIDE:
        raise ConfigError(
            f"a sheet of {image.width} x {image.height} pixels does not fit a JPEG ({_MAX_SIDE}); take fewer frames,"
            " or --out FOLDER for one file each"
        )
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _row_height(title: str, cells: Sequence[tuple[Image.Image, str]]) -> int:
    tallest = max((picture.height for picture, _ in cells), default=0)
    return tallest + _LABEL_HEIGHT * (2 if title else 1) + _GAP


def _fitted(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """``text`` on one line, cut to ``width`` pixels."""
    text = " ".join(text.split())
    room = math.floor(len(text) * (width - 2 * _GAP) / max(font.getlength(text), 1.0))
    return text if room >= len(text) else text[: max(room - 1, 0)] + "…"
