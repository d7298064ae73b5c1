"""What the words of a question may not hold: times of the video, the texts it was written from, another answer. Pure.

Both recipes ask about a video that whoever answers watches without its captions; what its makers read is not known
to them.
"""

from __future__ import annotations

import re

__all__ = ["other_letter", "sources_in", "speaks_of_video", "times_in"]

_COUNT = r"(?:(?!\d{4}s\b)\d+(?:\.\d+)?|an?|one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty)"
_UNIT = r"(?:s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?)"
_LENGTH = rf"{_COUNT}[\s-]?{_UNIT}\b"
_VIDEO = r"(?:video|clip|film|footage|recording)\b"
_TIMES = re.compile(
    r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\b"
    r"|\btime ?stamps?\b"
    r"|\b(?:second|minute)s? \d+\b"
    r"|\b(?:the )?\d+(?:st|nd|rd|th) (?:second|minute)\b"
    rf"|\b{_LENGTH}[\s-](?:marks?|point)\b"
    rf"|\b{_LENGTH} (?:into\b|in(?:(?=\s*(?:[,?.!]|$))| the {_VIDEO}))"
    rf"|\b(?:first|last|final|opening|closing|next) {_LENGTH}(?! of (?!the {_VIDEO}))"
    rf"|\b(?:at|from|until|by|after|before) (?:about |around |roughly |exactly )?{_LENGTH}(?! (?:of|long)\b)"
    rf"|\b{_COUNT} ?(?:-|–|to|and) ?{_LENGTH}(?! (?:of|long|old)\b)"
    r"|\b(?:between|from) \d+\.\d+ (?:and|to) \d+\.\d+\b"
    rf"|[(\[]\s*{_LENGTH}\s*[)\]]",
    re.IGNORECASE,
)
_LENGTH_ALONE = re.compile(rf"\W*(?:at |after )?{_LENGTH}\W*", re.IGNORECASE)
_HOW_LONG = re.compile(r"\bhow\b|\blong\b|\bduration\b|\blength\b|\bnumber\b|\bcount", re.IGNORECASE)

_TEXT = r"(captions?|descriptions?|notes|summar(?:y|ies)|transcripts?|(?:list(?:ed)? )?events)"
_WHICH = r"(?:(?:the|these|those|this|that|given|provided|above|following|video|clip|event)(?:['’]s)?\s+){0,4}"
_SAYS = r"(?:show|say|state|describe|mention|indicate|note|tell|suggest|report|reveal|explain|confirm|specif(?:y|ie))"
_SOURCES = (
    re.compile(
        r"\b(?:according to|based on|per|(?:as )?(?:stated|described|mentioned|told|said|noted|given|listed) (?:in|by))"
        rf"\s+(?P<what>{_WHICH}{_TEXT})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<what>{_WHICH}(?:captions?|descriptions?|notes|summary|transcripts?)(?:\s+\d+)?)"
        rf"\s+(?P<says>{_SAYS}s?)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:in|during|of|from|to|after|before|between)\s+"
        r"(?P<what>(?:captions?|events?|descriptions?)\s+(?:#|no\.? ?|number )?\d+(?: (?:and|to) \d+)?"
        r"|the (?:descriptions?|summary|transcript))\b",
        re.IGNORECASE,
    ),
)
_ANSWERS = (
    re.compile(
        r"\b(?i:answer|(?:right|correct|best) (?:option|choice))\b\W{0,3}(?i:(?:then|thus|clearly|therefore) )?"
        r"(?i:is|must be|should be|has to be|would be|will be|can only be|:|=)[\s:*\"'(]*(?i:option |choice |letter )?"
        r"[\s*\"'(]*([A-Z])(?=[)*\"'.,;:!\s]*(?:$|\n|[A-Z(]|[).,;:!*]|\s(?:since|because|as|for|which|and)\b))"
    ),
    re.compile(
        r"(?<![\w'’])([A-Z])\)?\*{0,2} (?i:is|must be|has to be) (?i:therefore |thus |clearly )?(?i:the )?"
        r"(?i:right|correct|best answer|answer)\b(?! (?i:only|if)\b)"
    ),
    re.compile(
        r"\b(?i:so|hence|therefore|thus),? (?i:it is |it must be |the )?(?i:option |choice )([A-Z])(?=\W*(?:$|\n))"
    ),
)


def times_in(text: str, known: str | None = "", *, of: str | None = None) -> list[str]:
    """Moments of the video that ``text`` names by their time (``1:15``, ``12 s into``, ``minute 2``).

    A length of time is none (``after 10 seconds of silence``), but where an option of the question ``of`` is nothing
    else, it is one, unless that asks how long. What stands in ``known``, what is seen and said in the video, may be
    part of what is asked; with None it is not known, and no time counts."""
    if known is None:
        return []
    found = [match[0] for match in _TIMES.finditer(text)]
    if not found and of is not None and _LENGTH_ALONE.fullmatch(text) and not _HOW_LONG.search(of):
        found = [text]
    return [time for time in found if not re.search(rf"(?<![\w:.]){re.escape(time)}(?![\w:])", known, re.IGNORECASE)]


def sources_in(text: str, known: str | None = "") -> list[str]:
    """Where ``text`` rests on what was written about the video (``according to the captions``).

    Captions that the video itself shows are no such text: a word that stands in ``known`` counts nowhere."""
    return [match[0] for pattern in _SOURCES for match in pattern.finditer(text) if not _is_known(match, known)]


def speaks_of_video(text: str, known: str | None = "") -> str:
    """``text`` that speaks of the video where it rested on what was written about it."""

    def instead(match: re.Match[str]) -> str:
        if _is_known(match, known):
            return match[0]
        what, groups = match["what"], match.groupdict()
        start = match.start("what") - match.start()
        says = groups.get("says")
        rest = match[0][start + len(what) :] if not says else f" {says}{'' if says.lower().endswith('s') else 's'}"
        return f"{match[0][:start]}{'The' if what[:1].isupper() else 'the'} video{rest}"

    for pattern in _SOURCES:
        text = pattern.sub(instead, text)
    return text


def _is_known(match: re.Match[str], known: str | None) -> bool:
    if re.search(r"\d", match["what"]):
        return match["what"].lower() in (known or "").lower()
    word = next(part for part in re.findall(r"[a-z]+", match["what"].lower())[::-1] if part not in ("and", "to", "no"))
    return word.rstrip("s") in (known or "").lower()


def other_letter(text: str, letter: str, letters: str) -> str | None:
    """A letter out of ``letters`` that ``text`` calls the answer although it is ``letter``; None if there is none."""
    named = [match[1] for pattern in _ANSWERS for match in pattern.finditer(text)]
    return next((one for one in named if one != letter and one in letters), None)
