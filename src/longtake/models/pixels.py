"""What is derived from the pixels of `Frames`: JPEG data URLs for the wire, a digest for cache keys.

Each is computed once per array and size, in a thread, and forgotten with the array: an agent sends the same frames
again in every turn.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import weakref
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..types import Frames, Message

__all__ = ["data_urls", "pixel_digests"]

T = TypeVar("T")
_known: dict[tuple[int, str], object] = {}


async def data_urls(frames: Frames, *, quality: int, max_side: int | None) -> list[str]:
    """One ``data:image/jpeg;base64,...`` per frame, the longer side at most ``max_side`` pixels.

    Raises `StoreError` when the frames hold no pixels."""
    return await _once(frames.pixels, f"jpeg {quality} {max_side}", lambda data: _encode(data, quality, max_side))


async def pixel_digests(messages: Sequence[Message]) -> list[str]:
    """A digest per `Frames` in the messages, in order; "" for frames without pixels."""
    found = list[str]()
    for message in messages:
        for part in message.content:
            if isinstance(part, Frames):
                found.append("" if part.data is None else await _once(part.data, "digest", _digest))
    return found


async def _once(data: npt.NDArray[np.uint8], what: str, make: Callable[[npt.NDArray[np.uint8]], T]) -> T:
    key = (id(data), what)
    if key not in _known:
        made = await asyncio.to_thread(make, data)
        if key not in _known:
            weakref.finalize(data, _known.pop, key, None)
        _known[key] = made
    return _known[key]  # type: ignore[return-value]


def _encode(data: npt.NDArray[np.uint8], quality: int, max_side: int | None) -> list[str]:
    urls = list[str]()
    for pixels in data:
        image = Image.fromarray(pixels)
        if max_side and max(image.size) > max_side:
            image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        urls.append("data:image/jpeg;base64," + base64.b64encode(file.getbuffer()).decode())
    return urls


def _digest(data: npt.NDArray[np.uint8]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(data).data, digest_size=16).hexdigest()
