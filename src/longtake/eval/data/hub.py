"""Fetches the data files of a benchmark from the Hugging Face hub, at one commit. Reads no rows.

The files of a split are JSON or Parquet as they lie in the repository: reading them directly needs no `datasets`, runs
no code of the repository, and keeps the row numbers of the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, cast

from ...errors import ConfigError, MissingExtraError
from .benchmark import Hub
from .rows import SUFFIXES

__all__ = ["Fetched", "fetch", "names_split"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """``revision`` is the commit, 40 hex digits, that the files are of; ``names`` are their paths in the repository."""

    revision: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]


def fetch(hub: Hub, also: Sequence[str] = ()) -> Fetched:
    """The data files of a split; ``also`` are patterns of files beside them. What the cache of `huggingface_hub` has is
    not fetched again. Raises `ConfigError` where there is no such repository, revision or split."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    except ImportError as e:
        raise MissingExtraError("reading from the hub needs huggingface_hub: pip install 'longtake[eval]'") from e
    where = f"hf:{hub.repo}@{hub.revision}"
    try:
        api = HfApi()
        info = api.dataset_info(hub.repo, revision=hub.revision)
        listed = [file.rfilename for file in info.siblings or []]
        names = choose(hub, listed, info.card_data.to_dict() if info.card_data else {})
        names += [name for name in listed if name not in names and any(fnmatch(name, each) for each in also)]
        commit = str(info.sha)
        paths = [Path(_download(api, hub.repo, name, commit)) for name in names]
    except OfflineModeIsEnabled as e:
        raise ConfigError(f"{where} cannot be fetched: HF_HUB_OFFLINE is set; give --data with local files") from e
    except ConfigError:
        raise
    except _errors_of(HfHubHTTPError) as e:
        said = str(e).strip().splitlines() or [type(e).__name__]
        raise ConfigError(
            f"{where} cannot be fetched: {said[0]}; check the name and the revision, log in (hf auth login) where the "
            "data ask for consent, or give --data with local files"
        ) from e
    return Fetched(commit, tuple(paths), tuple(names))


def _download(api: Any, repo: str, name: str, commit: str) -> str:
    return api.hf_hub_download(repo, name, repo_type="dataset", revision=commit)


def _errors_of(http: type[Exception]) -> tuple[type[Exception], ...]:
    """What `huggingface_hub` raises: its own error for a status, the base of its HTTP client's errors (which client
    that is differs between versions), and what the file system or a wrong name gives."""
    bases = tuple(base for base in http.__mro__ if issubclass(base, Exception) and base is not Exception)
    return (*bases, OSError, ValueError)


def choose(hub: Hub, listed: Sequence[str], card: Mapping[str, Any]) -> list[str]:
    """The files that hold the split: as the repository's card says, else by the benchmark's patterns, else by name."""
    data = sorted(name for name in listed if PurePosixPath(name).suffix.lower() in SUFFIXES - {".txt"})
    patterns = list(_card_patterns(hub, card)) or list(hub.files)
    found = [name for name in data if any(fnmatch(name, pattern) for pattern in patterns)]
    if not found:
        found = [name for name in data if names_split(PurePosixPath(name).name, hub.split)]
        if hub.config is not None:
            found = [name for name in found if hub.config in PurePosixPath(name).parts[:-1]] or found
    if not found and len(data) == 1:
        found = data
    if not found:
        raise ConfigError(
            f"hf:{hub.repo}@{hub.revision} has no data files of the split {hub.split!r}; it has: "
            f"{', '.join(data[:20]) or 'no data files'}; name a split with --split"
        )
    parquet = [name for name in found if name.endswith(".parquet")]
    return parquet or found


def names_split(name: str, split: str) -> bool:
    """Whether a file's name says its split: ``test-00000-of-00001.parquet``, ``tvqa_test_public.jsonl``; ``val`` is
    ``validation``."""
    word = split.lower().replace("_", "-")
    word = "val(?:idation)?" if word in {"val", "validation"} else re.escape(word)
    return re.search(rf"(?<![a-z0-9]){word}(?![a-z0-9])", name.lower().replace("_", "-")) is not None


def _card_patterns(hub: Hub, card: Mapping[str, Any]) -> Iterator[str]:
    configs = cast("list[dict[str, Any]]", card.get("configs") or [])
    if hub.config is not None:
        configs = [each for each in configs if each.get("config_name") == hub.config]
    elif len(configs) > 1:
        configs = [each for each in configs if each.get("config_name") == "default" or each.get("default")] or configs
    for config in configs:
        files: Any = config.get("data_files") or []
        for entry in cast("list[Any]", files if isinstance(files, list) else [files]):
            if isinstance(entry, str):
                yield entry
            elif entry.get("split") == hub.split:
                paths: Any = entry.get("path") or []
                yield from cast("list[str]", paths if isinstance(paths, list) else [paths])
