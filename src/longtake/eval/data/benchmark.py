"""What a benchmark is: where its data are, which field means what, how its questions are scored. One TOML file each.

Owns the shape of those files and finds them by name; reads no data. An unknown key in one is refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import ConfigError
from ..items import Kind

__all__ = ["Fields", "Form", "Hub", "Scoring", "Spec", "Subtitles", "list_specs", "load_spec"]

Form: TypeAlias = Literal["letter", "index", "index1", "name", "text", "span"]
"""How data name the right option: ``B``; 1 (from 0); 2 (from 1); the name of its field, ``a1``; its text. ``span`` is
for questions about time. An answer in tags, ``<answer>B</answer>``, is read as what is in them."""

_FOLDER = Path(__file__).parents[1] / "benchmarks"
_KINDS: dict[Kind, tuple[str | None, str | None]] = {
    "choice": ("choice_strict", "choice"),
    "text": ("exact", "relaxed"),
    "number": ("exact", "number"),
    "span": (None, "recall@0.5"),
}


_MEASURES: dict[Kind, tuple[str, ...]] = {"text": ("contains",), "span": ("temporal_iou",)}
"""What is told beside the verdicts on such a question, whatever the benchmark."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(_Table):
    """A data set of the Hugging Face hub. ``files``: patterns of the files to read where names do not say the split."""

    repo: str
    split: str = "test"
    config: str | None = None
    revision: str = "main"
    files: tuple[str, ...] = ()


class Fields(_Table):
    """Names of the fields, tried in order; the first that a row has, and that is not empty, counts.

    ``options`` may also be ``option{n}`` (fields numbered from 0 or 1) and ``@question`` (they stand in the question);
    ``spans`` may be two fields, ``start,end``. ``answer`` maps a field to the forms in which it names the answer:
    readings that differ make the row malformed. ``video_pattern``: where it matches, its group is the video.
    ``subtitle_start`` and ``subtitle_duration``: the part of the subtitles that the video is, in seconds."""

    question: tuple[str, ...] = ("question",)
    video: tuple[str, ...] = ("video",)
    video_pattern: str | None = None
    id: tuple[str, ...] = ("id",)
    options: tuple[str, ...] = ()
    answer: Mapping[str, tuple[Form, ...]] = {"answer": ("letter",)}
    spans: tuple[str, ...] = ()
    clip: tuple[str, ...] = ()
    subtitles: tuple[str, ...] = ()
    subtitle_start: tuple[str, ...] = ()
    subtitle_duration: tuple[str, ...] = ()


class Subtitles(_Table):
    """Where the words of a video are: ``beside`` it under its name (``patterns`` name folders), in a file the ``row``
    names, or in one ``shared`` JSON file for all videos."""

    source: Literal["none", "beside", "row", "shared"] = "none"
    patterns: tuple[str, ...] = ()


class Scoring(_Table):
    """Names of scorers. ``headline`` is the column reported first; ``macro``: a stratum whose values count equally."""

    strict: str | None = None
    lenient: str | None = None
    extra: tuple[str, ...] = ()
    headline: str = "lenient"
    macro: str | None = None


class Spec(_Table):
    """One benchmark. ``kind`` is ``any`` where each row says by its options and answer what it is; ``kinds`` maps
    values of the field ``kind_field`` to a kind of their own. ``rows`` is the field of nested questions, ``line`` the
    pattern of a line of a text file, ``files`` patterns of data files in a folder (the first that finds any counts),
    ``ground_truth`` those of answers kept apart. ``ask`` makes a question of what the field holds, ``{question}`` in
    it. ``spans_in_clip``: gold spans count from the start of the clip. ``no_answer``: values that stand for a missing
    answer. ``expected_rows``: published counts by split."""

    name: str
    title: str
    about: str
    aliases: tuple[str, ...] = ()
    kind: Kind | Literal["any"] = "choice"
    kind_field: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = {}
    split: str | None = None
    files: tuple[str, ...] = ()
    ground_truth: tuple[str, ...] = ()
    rows: str | None = None
    line: str | None = None
    ask: str | None = None
    frame_fps: float | None = None
    spans_in_clip: bool = False
    no_answer: tuple[str, ...] = ()
    expected_rows: Mapping[str, int] = {}
    expected_videos: Mapping[str, int] = {}
    hub: Hub | None = None
    fields: Fields = Fields()
    strata: Mapping[str, tuple[str, ...]] = {}
    video_patterns: tuple[str, ...] = ()
    subtitles: Subtitles = Subtitles()
    scoring: Scoring = Scoring()

    def scoring_for(self, kind: Kind) -> Scoring:
        """The scorers of a question of this kind: what the benchmark says, else the usual ones of the kind."""
        strict, lenient = _KINDS[kind]
        if kind == self.kind or self.kind == "any":
            strict, lenient = self.scoring.strict or strict, self.scoring.lenient or lenient
        extra = dict.fromkeys([*self.scoring.extra, *_MEASURES.get(kind, ())])
        return self.scoring.model_copy(update={"strict": strict, "lenient": lenient, "extra": (*extra,)})


def load_spec(name: str | Path) -> Spec:
    """The benchmark of this name (or alias), or the one in a TOML file.

    A file may begin from another benchmark, ``base = "custom"``, and say only what differs. Raises `ConfigError`
    listing the known names, or saying what in the file is wrong."""
    text = str(name)
    if text.endswith(".toml"):
        return _read(Path(text))
    known = _by_name()
    if found := known.get(_key(text)):
        return found
    names = ", ".join(spec.name for spec in list_specs())
    raise ConfigError(f"there is no benchmark {text!r}; known: {names}; or give a .toml file, see CONTRIBUTING.md")


def list_specs() -> list[Spec]:
    """Every benchmark that comes with longtake, by name."""
    return [_read(path) for path in sorted(_FOLDER.glob("*.toml"))]


@cache
def _by_name() -> dict[str, Spec]:
    return {_key(name): spec for spec in list_specs() for name in (spec.name, *spec.aliases)}


def _key(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _read(path: Path) -> Spec:
    try:
        return Spec.model_validate(_table(path))
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}; give the TOML file of a benchmark or its name") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as e:
        raise ConfigError(f"{path} is not the description of a benchmark: {e}") from e


def _table(path: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    base = table.pop("base", None)
    if base is None:
        return table
    below = _FOLDER / f"{_key(str(base)).replace('+', '-plus')}.toml"
    if not below.is_file():
        names = ", ".join(sorted(each.stem for each in _FOLDER.glob("*.toml")))
        raise ConfigError(f"{path}: base is {base!r}; it may be one of {names}")
    return {key: value for key, value in _over(_table(below), table).items() if key != "aliases" or key in table}


def _over(base: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    """``table`` over ``base``; in the tables named below each key by itself."""
    result = {**base, **table}
    for key in ("fields", "scoring", "subtitles"):
        old, new = base.get(key), table.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            result[key] = {**cast("Mapping[str, object]", old), **cast("Mapping[str, object]", new)}
    return result
