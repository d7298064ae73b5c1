"""Prompts: every one is a Markdown file in the folder ``prompts`` of the package that says it.

``$name`` in a file is a field; a missing or unused field is an error, so a prompt cannot silently lose a part.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from string import Template

from .errors import ConfigError

__all__ = ["Prompts"]


@cache
def _template(package: str, name: str) -> Template:
    return Template((files(package) / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip())


class Prompts:
    """The prompts of ``package``, such as ``longtake.agents``."""

    def __init__(self, package: str) -> None:
        self._package = package

    def render(self, name: str, **fields: str) -> str:
        """``prompts/<name>.md`` with its fields filled in. Raises `ConfigError` unless the fields match exactly."""
        template = _template(self._package, name)
        wanted = set(template.get_identifiers())
        if wanted != set(fields):
            raise ConfigError(f"prompt {name!r} has the fields {sorted(wanted)}, got {sorted(fields)}")
        return template.substitute(fields)

    def digest(self, name: str) -> str:
        """Names the text of ``prompts/<name>.md``, 16 hex digits: what was made with other words is not the same."""
        return hashlib.sha256(_template(self._package, name).template.encode()).hexdigest()[:16]
