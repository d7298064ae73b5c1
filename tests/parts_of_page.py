"""What a browser would make of a page of ours, for tests of every page."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson


class Page(HTMLParser):
    """The tags, and the texts of scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.tags = list[tuple[str, dict[str, str | None]]]()
        self.held = dict[str, list[str]]()
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        self.held.setdefault(tag, [])
        if tag in ("script", "style"):
            self.held[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.held[self._inside][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        return orjson.loads(self.held["script"][0])


def assert_only_its_own_acts(page: Page) -> None:
    """Only the style and script of the page may act, it loads nothing, and its script makes no markup of data."""
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") is not None) or ""
    script = page.held["script"][1]
    for text in (script, page.held["style"][0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    whole = page.path.read_text(encoding="utf-8")
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", whole)
    assert "@@" not in whole
    for way_in in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert way_in not in script
