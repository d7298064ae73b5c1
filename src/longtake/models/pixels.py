"""What is derived from the pixels of `Frames`: JPEG files, data URLs for the wire, a digest for cache keys.

What is made of an array is made once per size, in a thread, and forgotten with the array: an agent sends the same
frames again in every turn. Frames that are JPEG files already cost next to nothing, and nothing of them is kept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..types import Frames, Message

__all__ = ["as_jpegs", "data_urls", "pixel_digests"]

T = TypeVar("T")
_known: dict[tuple[int, str], object] = {}


def as_jpegs(frames: Frames, *, quality: int = 85, max_side: int | None = None) -> Frames:
    """``frames`` with JPEG files in place of pixels, so that a request that waits holds kilobytes, not megabytes.

    ``quality`` is from 1 to 100; the longer side becomes at most ``max_side`` pixels. Takes its time: call it in a
    thread. Raises `StoreError` when the frames hold no pixels."""
    images = [_fitting(Image.fromarray(pixels), max_side) for pixels in frames.pixels]
    width, height = images[0].size if images else (frames.width, frames.height)
    jpegs = tuple(_jpeg(image, quality) for image in images)
    return replace(frames, width=width, height=height, data=None, jpegs=jpegs)


async def data_urls(frames: Frames, *, quality: int, max_side: int | None) -> list[str]:
    """One ``data:image/jpeg;base64,...`` per frame, the longer side at most ``max_side`` pixels.

    JPEG files go as they are unless they are too large. Raises `StoreError` when the frames hold no pixels."""
    if frames.data is not None or frames.jpegs is None:
        return await _once(
            frames.pixels,
            f"jpeg {quality} {max_side}",
            lambda data: [_url(_jpeg(_fitting(Image.fromarray(pixels), max_side), quality)) for pixels in data],
        )
    if max_side is None or max(frames.width, frames.height) <= max_side:
        return [_url(jpeg) for jpeg in frames.jpegs]
    return await asyncio.to_thread(_shrunk, frames.jpegs, quality, max_side)


async def pixel_digests(messages: Sequence[Message]) -> list[str]:
    """A digest per `Frames` in the messages, in order; "" for frames without pixels."""
    found = list[str]()
    for message in messages:
        for part in message.content:
            if not isinstance(part, Frames):
                continue
            if part.data is not None:
                found.append(await _once(part.data, "digest", _digest))
            else:
                found.append("" if part.jpegs is None else _digest_of_files(part.jpegs))
    return found


async def _once(data: npt.NDArray[np.uint8], what: str, make: Callable[[npt.NDArray[np.uint8]], T]) -> T:
    key = (id(data), what)
    if key not in _known:
        made = await asyncio.to_thread(make, data)
        if key not in _known:
            weakref.finalize(data, _known.pop, key, None)
        _known[key] = made
    return _known[key]  # type: ignore[return-value]


def _fitting(image: Image.Image, max_side: int | None) -> Image.Image:
    """``image``, made smaller in place if its longer side has more than ``max_side`` pixels."""
    if max_side and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return image


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _shrunk(jpegs: Sequence[bytes], quality: int, max_side: int) -> list[str]:
    urls = list[str]()
    for jpeg in jpegs:
        with Image.open(io.BytesIO(jpeg)) as image:
            urls.append(_url(_jpeg(_fitting(image, max_side), quality)))
    return urls


def _url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _digest(data: npt.NDArray[np.uint8]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(data).data, digest_size=16).hexdigest()


def _digest_of_files(jpegs: Sequence[bytes]) -> str:
    together = hashlib.blake2b(digest_size=16)
    for jpeg in jpegs:
        together.update(hashlib.blake2b(jpeg, digest_size=16).digest())
    return together.hexdigest()
