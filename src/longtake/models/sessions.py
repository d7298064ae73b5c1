"""HTTP connections: one aiohttp session per event loop, shared by all models, closed when the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp

__all__ = ["CONNECT_SECONDS", "http_session"]

CONNECT_SECONDS = 15.0

_Key = tuple[asyncio.AbstractEventLoop, bool]
_kept: dict[_Key, tuple[aiohttp.ClientSession, AsyncGenerator[aiohttp.ClientSession]]] = {}


async def http_session(*, local: bool) -> aiohttp.ClientSession:
    """The session of the running loop; with ``local`` one that leaves out the proxies of the environment."""
    key = (asyncio.get_running_loop(), local)
    if key not in _kept:
        keeper = _keep(key)
        _kept[key] = (await anext(keeper), keeper)
    return _kept[key][0]


async def _keep(key: _Key) -> AsyncGenerator[aiohttp.ClientSession]:
    """A generator, because ``asyncio.run`` closes the generators of its loop at the end, and so the session."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        trust_env=not key[1],
    ) as session:
        try:
            yield session
        finally:
            del _kept[key]
