"""Takes credentials out of values that are kept in files: a folder of results is given to others. Calls nothing."""

from __future__ import annotations

import re

from ..types import JSON

__all__ = ["without_credentials"]

_NAME = re.compile(r"(?i)(?:key|token|secret|password|passwd|credential|authorization|cookie)s?$")
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?<=[?&])([^=&#\s]+)=[^&#\s]*")
_HIDDEN = "***"


def without_credentials(value: JSON) -> JSON:
    """``value`` without user and password in addresses, the values of their queries, and texts under names like
    ``api_key``, ``token`` and ``password``. What holds none stays as it is, so that digests of it do too."""
    if isinstance(value, str):
        return _address(value) if "://" in value else value
    if isinstance(value, dict):
        return {
            name: _hidden(each) if _NAME.search(name) else without_credentials(each) for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_credentials(each) for each in value]
    return value


def _address(text: str) -> str:
    return _QUERY.sub(rf"\1={_HIDDEN}", _USER.sub("", text))


def _hidden(value: JSON) -> JSON:
    """The same with every text hidden; a number is a limit (``max_tokens``), no secret."""
    if isinstance(value, str):
        return _HIDDEN if value else value
    if isinstance(value, dict):
        return {name: _hidden(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return value
