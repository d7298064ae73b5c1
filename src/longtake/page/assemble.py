"""Puts a page into one HTML file. Data reach it as JSON that its script sets as text: nothing of them can act in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files

import orjson

from ..types import JSON

__all__ = ["assemble"]


def assemble(package: str, data: Mapping[str, JSON]) -> str:
    """The page of ``package``: its ``page/report.html`` with style, script and ``data`` filled in.

    Style and script of the package follow those all pages share (``base.css``, ``base.js`` beside this module). Only
    that one style and that one script may act, by their hashes; the page loads nothing."""
    style, script = (_read("longtake.page", f"base.{kind}") + _read(package, f"page/report.{kind}") for kind in _KINDS)
    fields = {
        "@@STYLE_HASH@@": _hash(style),
        "@@SCRIPT_HASH@@": _hash(script),
        "@@STYLE@@": style,
        "@@SCRIPT@@": script,
    }
    page = _read(package, "page/report.html")
    for name, text in fields.items():
        page = page.replace(name, text)
    before, _, after = page.partition("@@DATA@@")  # last, since the data may hold anything
    return before + orjson.dumps(data).decode().replace("<", "\\u003c") + after


_KINDS = ("css", "js")


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
