"""Makes the questions of an evaluation from the rows of a benchmark, by its description. Finds no files.

Gold goes into the fields for gold only: question and options hold what the data put there and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...media import TimeSpan
from ...types import JSON, Sample
from ..items import Item, Kind
from .benchmark import Fields, Form, Spec
from .fields import FieldError, first, is_empty, is_span, read_spans, shown, texts_of, unwrapped
from .options import Options, options_in, read_options, right_option

__all__ = ["Draft", "check_truth", "draft_of"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACEHOLDER = re.compile(r"^\s*(?:<(?:video|image)>\s*)+", re.IGNORECASE)

_BY_NAME: tuple[Form, ...] = ("letter", "name", "text")
_COUNTS = re.compile(r"\b(?:how (?:many|much|often)|count|number of|what number)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its video is found. ``has_id``: the row has an id of its own. ``notes``: what is odd in it."""

    item: Item
    has_id: bool
    subtitles: str | None
    subtitle_start_seconds: float = 0.0
    subtitle_duration_seconds: float | None = None
    notes: tuple[str, ...] = ()


def draft_of(spec: Spec, row: Mapping[str, JSON], default_id: str) -> Draft:
    """Raises `FieldError` saying why the row is malformed."""
    names = spec.fields
    question = _PLACEHOLDER.sub("", _text(row, names.question, "question")).strip()
    if not question:
        raise FieldError("the question is only a place for the video")
    kind = _kind_said(spec, row)
    value, forms = _answer(row, spec)
    question, options = _options(kind, row, names, question, (value, forms))
    if kind == "any":
        kind = _kind_seen(options, value, first(row, names.spans))
    target, spans, notes = _gold(kind, row, names, options, value, forms)
    video = _video(row, names)
    clip = first(row, names.clip)
    id_ = first(row, names.id)
    metadata: dict[str, JSON] = {"gold": value}
    if clip is not None:
        metadata["clip"] = str(clip)
    sample = Sample(
        id=_word(id_) if id_ is not None else default_id,
        video="",
        question=spec.ask.replace("{question}", question) if spec.ask else question,
        choices=options.texts if kind == "choice" else (),
        target=target,
        target_spans=spans,
        metadata=metadata,
    )
    strata = {name: values for name, fields in spec.strata.items() if (values := texts_of(first(row, fields)))}
    stem = re.sub(r"\.[A-Za-z0-9]{2,4}$", "", video)
    item = Item(sample, kind, stem, video, strata, None if clip is None else str(clip))
    words = first(row, names.subtitles)
    values = (each for found in strata.values() for each in found)
    _check_text("\n".join(map(str, (sample.id, question, *options.texts, target, value, clip, words, video, *values))))
    return Draft(
        item,
        id_ is not None,
        None if words is None else str(words),
        _seconds(first(row, names.subtitle_start)) or 0.0,
        _seconds(first(row, names.subtitle_duration)),
        notes,
    )


def check_truth(names: Fields, row: Mapping[str, JSON], truth: Mapping[str, JSON]) -> None:
    """Raises `FieldError` where ``truth``, which has the answer to ``row``, holds another question or other options."""
    asked, answered = (first(each, names.question) for each in (row, truth))
    if asked is not None and answered is not None and _plain(asked) != _plain(answered):
        raise FieldError(f"the ground truth of its id answers another question, {shown(answered)}")
    shown_, known = (read_options(each, names.options).texts for each in (row, truth))
    if shown_ and known and [*map(_plain, shown_)] != [*map(_plain, known)]:
        raise FieldError(f"the ground truth of its id has other options, {shown(known)}")


def _plain(value: JSON) -> str:
    return " ".join(str(value).split())


def _gold(
    kind: Kind, row: Mapping[str, JSON], names: Fields, options: Options, value: JSON, forms: Sequence[Form]
) -> tuple[str | None, tuple[TimeSpan, ...], tuple[str, ...]]:
    """The target, the gold spans, and what is odd in them. A span that only says where the answer is may be wrong."""
    if kind == "span":
        spans = read_spans(unwrapped(value)) or _gold_spans(row, names)
        return ", ".join(f"{span.start:.10g} - {span.end:.10g}" for span in spans) or None, spans, ()
    target = None
    if kind == "choice":
        if not options.texts:
            raise FieldError(f"a choice without options; looked in {', '.join(names.options)}")
        target = None if value is None else _LETTERS[right_option(value, forms, options)]
    elif isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict | list) for each in value)):
        raise FieldError(f"the answer is {shown(value)}; write text, a number, or a span [start, end] in seconds")
    elif value is not None:
        target = "; ".join(texts_of(value)) if isinstance(value, list) else str(unwrapped(value))
    try:
        return target, _gold_spans(row, names), ()
    except FieldError as e:
        return target, (), (f"the gold span is left out: {e}",)


def _check_text(text: str) -> None:
    """Half a surrogate pair can be read from JSON, and neither sent nor stored."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise FieldError(f"the text holds half a character, {text[e.start]!a}; was it cut?") from e


def _kind_said(spec: Spec, row: Mapping[str, JSON]) -> Kind | Literal["any"]:
    said = first(row, spec.kind_field)
    if (own := spec.kinds.get(str(said))) is not None:
        return own
    return spec.kind


def _kind_seen(options: Options, value: JSON, spans: JSON) -> Kind:
    if options.texts:
        return "choice"
    if (value is None and spans is not None) or is_span(unwrapped(value)):
        return "span"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "text"


def _options(
    kind: str, row: Mapping[str, JSON], names: Fields, question: str, answer: tuple[JSON, tuple[Form, ...]]
) -> tuple[str, Options]:
    """The bare question and its options, from fields of their own or out of the question."""
    if kind not in {"choice", "any"}:
        return question, Options()
    options = read_options(row, names.options)
    if not options.texts and "@question" not in names.options:
        return question, options
    try:
        asked, found = options_in(question)
    except FieldError:
        if options.texts or kind == "any":
            return question, options
        raise
    if not options.texts:
        is_choice = kind == "choice" or (bool(found.texts) and _is_one_of(asked, found, *answer))
        return (asked, found) if is_choice else (question, options)
    # some data have them in both places, and they would be shown twice
    return (asked if found.texts == options.texts else question), options


def _is_one_of(question: str, options: Options, value: JSON, forms: Sequence[Form]) -> bool:
    """Whether a question with a list in it, which may be an open one, has an answer that is one of the list: its label
    or text. Raises `FieldError` for a number that may as well be what is asked for."""
    if value is None:
        return False
    if not {"letter", "text"} & {*forms}:  # the field names an option, whatever it holds
        right_option(value, forms, options)
        return True
    try:
        right_option(str(value), [form for form in forms if form in _BY_NAME], options)
    except FieldError:
        return False
    if isinstance(value, int | float) or (str(value).strip() in options.names and _COUNTS.search(question)):
        raise FieldError(
            f"the answer {shown(value)} may be one of the list in the question, or the number that is asked for; say "
            'kind = "choice" or kind = "number" in a TOML file'
        )
    return True


def _answer(row: Mapping[str, JSON], spec: Spec) -> tuple[JSON, tuple[Form, ...]]:
    for name, forms in spec.fields.answer.items():
        value = row.get(name)
        if not is_empty(value) and str(value) not in spec.no_answer:
            return value, forms
    return None, ()


def _gold_spans(row: Mapping[str, JSON], names: Fields) -> tuple[TimeSpan, ...]:
    for name in names.spans:
        start, comma, end = name.partition(",")
        if comma and not is_empty(row.get(start)) and not is_empty(row.get(end)):
            return read_spans([row[start], row[end]])
        if not comma and not is_empty(row.get(name)):
            return read_spans(row[name])
    return ()


def _video(row: Mapping[str, JSON], names: Fields) -> str:
    value = first(row, names.video)
    if isinstance(value, list):
        if len(value) != 1:
            raise FieldError(f"the question is about {len(value)} videos; one can be asked about")
        value = value[0]
    if isinstance(value, dict):
        value = value.get("path") or value.get("video")
    if is_empty(value):
        raise FieldError(f"no video; looked in {', '.join(names.video)}")
    name = _word(value).strip()
    if names.video_pattern and (found := re.search(names.video_pattern, name)):
        return found[1]
    return name


def _text(row: Mapping[str, JSON], names: tuple[str, ...], what: str) -> str:
    value = first(row, names)
    if not isinstance(value, str):
        raise FieldError(f"no {what} in {', '.join(names)}" if value is None else f"the {what} is {value!r}, not text")
    return value


def _word(value: JSON) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _seconds(value: JSON) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None
