"""What a benchmark is: where its data are, which field means what, how its questions are scored. One TOML file each.

Owns the shape of those files and finds them by name; reads no data. An unknown key in one is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ...errors import ConfigError
from ...registry import names, nearest
from ..items import Kind

__all__ = ["Fields", "Form", "Hub", "Scoring", "Spec", "Subtitles", "list_specs", "load_spec"]

Form: TypeAlias = Literal["letter", "index", "index1", "name", "text", "span"]
"""How data name the right option: ``B``; 1 (from 0); 2 (from 1); the name of its field, ``a1``,
or the number before it; its text. ``span`` is for questions about time. An answer in tags, ``<answer>B</answer>``, is
read as what is in them."""

_FOLDER = Path(__file__).parents[1] / "benchmarks"
_KINDS: dict[Kind, tuple[str | None, str | None]] = {
    "choice": ("choice_strict", "choice"),
    "text": ("exact", "relaxed"),
    "number": ("exact", "number"),
    "span": (None, "recall@0.5"),
}


_MEASURES: dict[Kind, tuple[str, ...]] = {"text": ("contains",), "span": ("temporal_iou",)}
"""What is told beside the verdicts on such a question, whatever the benchmark."""
_WANTED = {"tuple_type": "a list of names in brackets", "dict_type": "a table", "model_type": "a table"}
_COLUMNS = ("strict", "lenient", "judge")


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
    names, or in one ``shared`` JSON file for all videos. ``needed``: the benchmark's own protocol shows them."""

    source: Literal["none", "beside", "row", "shared"] = "none"
    patterns: tuple[str, ...] = ()
    needed: bool = False


class Scoring(_Table):
    """Names of scorers. ``headline`` is the column reported first; ``macro``: a stratum whose values count equally,
    ``num_macro`` how many values the published mean is over. Where ``kind`` of the benchmark is not ``any``, questions
    of other kinds stand apart from it."""

    strict: str | None = None
    lenient: str | None = None
    extra: tuple[str, ...] = ()
    headline: str = "lenient"
    macro: str | None = None
    num_macro: int | None = None


class Spec(_Table):
    """One benchmark. ``kind`` is ``any`` where each row says by its options and answer what it is; ``kinds`` maps
    values of the field ``kind_field`` to a kind of their own. ``rows`` is the field of nested questions, ``line`` the
    pattern of a line of a text file, ``files`` patterns of data files in a folder (the first that finds any counts),
    ``ground_truth`` those of answers kept apart. ``ask`` makes a question of what the field holds, ``{question}`` in
    it. ``spans_in_clip``: gold spans count from the start of the clip. ``no_answer``: values that stand for a missing
    answer. ``expected_rows``: published counts by split. ``said``: what a user's file says itself of fields and strata
    (``strata.topic``); rows are expected to have it."""

    name: str
    title: str
    about: str
    aliases: tuple[str, ...] = ()
    kind: Literal[Kind, "any"] = "choice"
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
    said: tuple[str, ...] = Field(default=(), exclude=True)

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
        return _own(Path(text))
    known = _by_name()
    if found := known.get(_key(text)):
        return found
    titles = ", ".join(spec.name for spec in list_specs())
    raise ConfigError(
        f"there is no benchmark {text!r}{nearest(_key(text), known)}; known: {titles}; or lmms:TASK for a task of"
        " lmms-eval, or a .toml file, see CONTRIBUTING.md"
    )


def list_specs() -> list[Spec]:
    """Every benchmark that comes with longtake, by name."""
    return [_read(path) for path in sorted(_FOLDER.glob("*.toml"))]


@cache
def _by_name() -> dict[str, Spec]:
    return {_key(name): spec for spec in list_specs() for name in (spec.name, *spec.aliases)}


def _key(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _own(path: Path) -> Spec:
    """The file of a user: also what only this program knows must be right, such as the names of scorers."""
    spec = _read(path)
    scorers = names("scorer")
    scoring = spec.scoring
    for key, each in (("strict", (scoring.strict,)), ("lenient", (scoring.lenient,)), ("extra", scoring.extra)):
        for name in each:
            if name is not None and name not in scorers:
                raise _wrong(path, _not_one_of(f"scoring.{key}", name, scorers))
    if scoring.headline not in (columns := [*_COLUMNS, *scoring.extra]):
        raise _wrong(path, _not_one_of("scoring.headline", scoring.headline, columns))
    if scoring.macro is not None and scoring.macro not in spec.strata:
        raise _wrong(path, _not_one_of("scoring.macro", scoring.macro, list(spec.strata)))
    for key, pattern in (("line", spec.line), ("fields.video_pattern", spec.fields.video_pattern)):
        try:
            num_groups = re.compile(pattern or "()").groups
        except re.error as e:
            raise _wrong(path, f"{key}: got {pattern!r}, which is no regular expression: {e}") from e
        if not num_groups:
            raise _wrong(path, f"{key}: got {pattern!r}, which has no group; put what is wanted between parentheses")
    return spec.model_copy(update={"said": _said(tomllib.loads(path.read_text("utf-8")))})


def _said(table: Mapping[str, object]) -> tuple[str, ...]:
    inner = {key: cast("Mapping[str, object]", table.get(key, {})) for key in ("fields", "strata")}
    return tuple(f"{key}.{name}" for key, each in inner.items() for name in each if name != "video_pattern")


def _read(path: Path) -> Spec:
    try:
        return Spec.model_validate(_table(path))
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}; give the TOML file of a benchmark or its name") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise _wrong(path, str(e)) from e
    except ValidationError as e:
        raise _wrong(path, "; ".join(map(_told, e.errors()))) from e


def _wrong(path: Path, said: str) -> ConfigError:
    return ConfigError(f"{path} is not the description of a benchmark: {said}. See CONTRIBUTING.md for an example")


def _told(error: ErrorDetails) -> str:
    """One thing that is wrong: where, what was got, what is allowed."""
    path = [str(part) for part in error["loc"] if isinstance(part, str)]
    where = ".".join(path)
    match error["type"]:
        case "extra_forbidden":
            above = ".".join(path[:-1])
            tables: dict[str, type[BaseModel]] = {
                "fields": Fields, "scoring": Scoring, "subtitles": Subtitles, "hub": Hub
            }  # fmt: skip
            known = [*tables[above].model_fields] if above else ["base", *Spec.model_fields]
            known = [name for name in known if name != "said"]
            inside = f"the table [{above}]" if above else "a benchmark"
            return f"{where}: {inside} has no {path[-1]!r}{nearest(path[-1], known)}; allowed: {', '.join(known)}"
        case "literal_error":
            allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected")))
            return _not_one_of(where, error["input"], allowed)
        case "missing":
            return f"{where} is missing; give name, title and about" if len(path) == 1 else f"{where} is missing"
        case kind:
            wanted = _WANTED.get(kind) or error["msg"].removeprefix("Input should be ")
            return f"{where}: got {error['input']!r}, wanted {wanted}"


def _not_one_of(where: str, got: object, allowed: Iterable[str]) -> str:
    return f"{where}: got {got!r}{nearest(str(got), allowed)}; allowed: {', '.join(allowed) or 'none'}"


def _table(path: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    base = table.pop("base", None)
    if base is None:
        return table
    below = _FOLDER / f"{_key(str(base)).replace('+', '-plus')}.toml"
    if not below.is_file():
        known = sorted(each.stem for each in _FOLDER.glob("*.toml"))
        raise ConfigError(f"{path}: base is {base!r}{nearest(str(base), known)}; it may be one of {', '.join(known)}")
    return {key: value for key, value in _over(_table(below), table).items() if key != "aliases" or key in table}


def _over(base: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    """``table`` over ``base``; in the tables named below each key by itself."""
    result = {**base, **table}
    for key in ("fields", "scoring", "subtitles"):
        old, new = base.get(key), table.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            result[key] = {**cast("Mapping[str, object]", old), **cast("Mapping[str, object]", new)}
    return result
