"""How replies begin that are no content: refusals, and error messages of clients, proxies and servers. Pure.

Only a reply that *is* such a message counts. A caption may tell of an error on a screen or of somebody who is sorry:
so only the beginning of a short reply is looked at, and a quotation mark in front of it says that it is a quote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_error_message", "is_nothing", "is_refusal"]

_LONGEST = 600
"""Refusals and error messages are short; a longer text that begins like one is about one."""


def _any(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


_SORRY = _any(
    r"(?:i'?m|i am|we'?re|we are)?\s*(?:very |so |truly |deeply )?(?:sorry|afraid)[^.!?\n]{0,40}?",
    r"i apologi[sz]e[^.!?\n]{0,40}?",
    r"(?:my )?apologies[^.!?\n]{0,40}?",
    r"unfortunately",
    r"regrettably",
    r"as an? (?:ai|language|large)[^.!?\n]{0,60}?",
)
_CANNOT = _any(
    r"(?:can ?not|can'?t|could not|couldn'?t|won'?t|will not)",
    r"(?:'m|am) (?:unable|not able|not allowed|not permitted) to",
    r"(?:do not|don'?t) have the (?:ability|means) to",
    r"(?:must|have to) decline to",
)
_DO = _any(
    r"(?:assist|help|provide|offer|support|comply|fulfil|fulfill|engage|respond|reply|proceed|continue|answer|discuss)",
    r"(?:describe|caption|identify|interpret|determine|transcribe|summari[sz]e|analy[sz]e|process|watch|view|access)",
    r"(?:generate|write|produce|display|open|play)",
    r"(?:create|complete|give|do|make|see) (?:an?|any|the|this|that|your|you)",
)
_SEEMS = r"(?:it (?:looks|seems|appears) (?:like |that )?)?"
_PICTURES = r"(?:\w+ )?(?:images?|videos?|frames?|pictures?|clips?|files?|captions?)\b"

_REFUSALS = (
    rf"(?:{_SORRY}[\s,.;:!-]*(?:but|and|that)?[\s,]*)?i\s*(?:really |simply )?{_CANNOT}\s+(?:\w+ly\s+)?{_DO}\b",
    rf"{_SORRY}[\s,.;:!-]*(?:but\s+)?(?:this|that|the) (?:request|content|material|image|video)\b",
    r"(?:this|the|your) (?:request|prompt|content) (?:was|has been|is) (?:blocked|flagged|rejected|refused|filtered)"
    r"(?:\W*$|[^.\n]{0,40}\b(?:polic(?:y|ies)|safety|guidelines|content filter|inappropriate)\b)",
    rf"{_SEEMS}you (?:have not|haven'?t|did not|didn'?t) \w+ (?:\w+ )?{_PICTURES}",
    rf"i (?:do not|don'?t|did not|didn'?t) (?:see|have|receive)(?: access to)? (?:any|an?|the) {_PICTURES}",
    rf"{_SEEMS}(?:there (?:are|is|were|was) )?no {_PICTURES}"
    r"[^.!?\n]{0,40}\b(?:provided|attached|uploaded|shared|included|received)\b",
    rf"(?:please|could you(?: please)?) (?:provide|upload|attach|share|send)(?: me)?(?: with)? \w+ {_PICTURES}",
    r"(?:很|非常)?(?:抱歉|对不起)[,，。！!\s]*(?:但)?(?:我|作为)",
    r"我(?:无法|不能)(?:提供|描述|回答|协助|帮助|处理|查看)",
)

_KIND = (
    r"(?:api|http|server|internal|fatal|unexpected|unknown|request|network|connection|runtime|proxy|gateway|timeout)"
)
_STATUS = _any(
    r"bad (?:gateway|request)",
    r"gateway time-?out",
    r"service (?:temporarily )?unavailable",
    r"internal server",
    r"too many requests",
    r"unauthori[sz]ed",
    r"forbidden",
    r"not found",
    r"overloaded",
    r"error",
)
_ENDS = r"[\w .:/()'-]{0,80}\W*$"

_ERRORS = (
    rf"\[?(?:{_KIND} )*(?:error|exception)\]?\s*(?:[:({{]|- |\W*$)",
    r"\[error\]",
    r"error (?:code|communicating|calling|during|while|in|generating|processing|fetching|occurred)\b",
    r"error \d{3}\s*(?:[:({-]|\W*$)",
    r"(?:an|some) (?:\w+ )?(?:error|exception) (?:has )?(?:occurred|happened|was encountered)",
    r"(?:[a-z_]\w*\.)*[a-z]\w*(?:error|exception)\s*[:(]",
    r"traceback \(most recent call last\)",
    rf"(?:http(?:/[\d.]+)? )?(?:error )?(?:status(?: code)?:? )?[45]\d\d\s*[:-]?\s*{_STATUS}\b",
    rf"{_STATUS}\W*$",
    r"(?:internal server error|bad gateway|gateway time-?out|service unavailable|too many requests)\s*[:.(-]",
    r"(?:no healthy upstream|upstream (?:connect|request|timed|prematurely))\b",
    r"(?:context deadline exceeded|stream timeout)\b",
    r"(?:the |your )?(?:request|connection|operation)(?: to [\w.:/]+)? (?:was |has |is )?"
    rf"(?:timed out|aborted|refused|reset|closed|failed|error|time-?out)\b{_ENDS}",
    rf"(?:read|connect) (?:error|time-?out)\b{_ENDS}",
    r"rate.?limit (?:reached|exceeded|error)\b",
    r"you exceeded your current quota\b",
    r"the (?:server|model|engine)(?: is| has)? (?:currently |had )?(?:overloaded|unavailable|busy|an error)"
    r"(?:[.,;]? (?:please|try|while)|\W*$)",
    r"(?:cuda (?:out of memory|error)|out of memory\W*$)",
    rf"failed to (?:generate|get|fetch|connect|process|call|reach|obtain)\b{_ENDS}",
    r"<(?:!doctype html|html|\?xml)\b",
    r"\{\s*\"(?:error|errors|detail)\"\s*:",
    r"\{\s*\"object\"\s*:\s*\"error\"",
)
_NOTHING = frozenset(["", "none", "null", "nil", "nan", "na", "n a", "undefined", "empty", "no output", "no response"])


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_refusals, _errors = _compiled(_REFUSALS), _compiled(_ERRORS)


def is_refusal(said: str) -> bool:
    """Whether a whole reply declines to do what was asked, or asks for the video it should have seen."""
    return _begins_like(_refusals, said)


def is_error_message(said: str) -> bool:
    """Whether a whole reply is an error message."""
    return _begins_like(_errors, said)


def is_nothing(said: str) -> bool:
    """Whether a whole reply is empty, has no letter or digit, or is a word for nothing (``None``, ``null``)."""
    return " ".join(re.findall(r"[^\W_]+", said)).lower() in _NOTHING


def _begins_like(patterns: Sequence[re.Pattern[str]], said: str) -> bool:
    said = said.strip().lstrip("*_#>~- \t\n").replace("’", "'")
    return len(said) <= _LONGEST and any(pattern.match(said) for pattern in patterns)
