"""How texts begin that are no content: refusals, and error messages of clients, proxies and servers. Pure.

Only a text that *is* such a message counts. A caption may tell of an error on a screen or of somebody who is sorry:
so only the beginning of a short text is looked at, and a quotation mark in front of it says that it is a quote. What
no list of phrases can catch is caught by form: prompts ask for texts between tags (`read_tagged` of data steps).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_error_message", "is_nothing", "is_only_refusal", "is_refusal", "is_server_message", "no_content"]

_LONGEST = 600
"""Refusals and error messages are short; a longer text that begins like one is about one."""


def _any(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


_SORRY = _any(
    r"(?:i'?m|i am|we'?re|we are)?\s*(?:very |so |truly |deeply )?(?:sorry|afraid)[^.!?\n]{0,40}?",
    r"i apologi[sz]e[^.!?\n]{0,40}?",
    r"(?:my )?apologies[^.!?\n]{0,40}?",
    r"i regret[^.!?\n]{0,40}?",
    r"unfortunately",
    r"regrettably",
    r"(?:as|i'?m|i am) (?:just |only )?an? (?:\w+-based )?(?:ai|language|large|text|assistant|model)\b[^.!?\n]{0,60}?",
)
_CANNOT = _any(
    r"(?:can ?not|can'?t|could not|couldn'?t|won'?t|will not)",
    r"(?:'m|am) (?:unable|not able|not allowed|not permitted) to",
    r"(?:do not|don'?t) have the (?:ability|means|capabilit(?:y|ies)|capacity) to",
    r"(?:must|have to|need to) (?:respectfully )?decline to",
)
_DO = _any(
    r"help(?! but\b)",
    r"(?:assist|provide|offer|support|comply|fulfil|fulfill|engage|respond|reply|proceed|continue|answer|discuss)",
    r"(?:describe|caption|identify|interpret|determine|transcribe|summari[sz]e|analy[sz]e|process|watch|view|access)",
    r"(?:generate|write|produce|display|open|play)",
    r"(?:create|complete|give|do|make|see) (?:an?|any|the|this|that|your|you|images?|videos?)",
)
_SEEMS = r"(?:it (?:looks|seems|appears) (?:like |that )?)?"
_PICTURES = r"(?:\w+ )?(?:images?|videos?|frames?|pictures?|clips?|files?|captions?)\b"
_MISSING = _any(
    r"(?:failed to|(?:did|do|does)(?: not|n'?t)) (?:load|come through|upload|appear)",
    r"(?:are|is|were|was)(?: not|n'?t) (?:attached|provided|uploaded|visible to me|accessible to me|available to me)",
)
_OTHER_SORRY = _any(
    *(r"lo siento", r"lamento", r"disculp\w+", r"perd[óo]n"),
    *(r"(?:je suis )?désolée?", r"je regrette", r"malheureusement"),
    *(r"(?:es )?tut mir (?:sehr )?leid", r"entschuldig\w+", r"leider"),
    *(r"desculpe\w*", r"sinto muito", r"infelizmente", r"mi dispiace", r"purtroppo"),
    *(r"извините", r"простите", r"к сожалению", r"(?:مع الأسف|للأسف|عذر[اًا]+|آسف)"),
    *(r"申し訳", r"すみません", r"恐れ入りますが", r"죄송", r"(?:很|非常)?(?:抱歉|对不起|對不起|遗憾)"),
)
_OTHER_CANNOT = _any(
    *(r"no (?:me )?(?:puedo|podemos|es posible)", r"ne (?:peux|peut|suis) pas", r"(?:kann|können) (?:ich|wir)"),
    *(r"(?:ich|wir) (?:kann|können)\b", r"n[ãa]o (?:posso|consigo)", r"non (?:posso|sono in grado)"),
    *(r"не (?:могу|можем)", r"(?:لا يمكن|لا أستطيع)", r"できません", r"できかね", r"수 없", r"(?:无法|不能|無法)"),
)

_REFUSALS = (
    rf"(?:{_SORRY}[\s,.;:!-]*(?:but|and|that)?[\s,]*)?i\s*(?:really |simply )?{_CANNOT}\s+(?:\w+ly\s+)?{_DO}\b",
    rf"{_SORRY}[\s,.;:!-]*(?:but\s+)?i {_CANNOT} (?:tell|say|know)\b",
    rf"{_SORRY}[\s,.;:!-]*(?:but\s+)?(?:and\s+)?{_CANNOT}\s+{_DO}\b",
    rf"{_SORRY}[\s,.;:!-]*(?:but\s+)?(?:this|that|the) (?:request|content|material|image|video)\b",
    rf"(?:{_SORRY}[\s,.;:!-]*(?:but\s+)?)?i (?:must|have to|need to) (?:respectfully |politely )?decline"
    r"\s*(?:\W*$|to\b)",
    rf"(?:i'?m |i am )?unable to {_DO}\s+(?:the|this|that|these|your|any) {_PICTURES}",
    rf"can ?not {_DO}\s*(?:[:.(-]|(?:the|this|that|these|your|any) {_PICTURES})",
    r"i'?m not comfortable (?:with )?\w+ing\b",
    r"(?:this|the|your) (?:request|prompt|content|response|output) (?:was|has been|is) "
    r"(?:blocked|flagged|rejected|refused|filtered)"
    r"(?:\W*$|[^.\n]{0,120}\b(?:polic(?:y|ies)|safety|guidelines|content filter|inappropriate)\b)",
    r"(?:this|the|your) (?:request|prompt|content|image|video) (?:may|might|appears to|seems to)? ?violates?\b",
    rf"{_SEEMS}you (?:have not|haven'?t|did not|didn'?t) \w+ (?:\w+ )?{_PICTURES}",
    rf"i (?:do not|don'?t|did not|didn'?t) (?:see|have|receive)(?: access to)? (?:any|an?|the) {_PICTURES}",
    rf"i(?:'m| am) not (?:seeing|receiving) (?:any|an?|the|your) {_PICTURES}",
    rf"i(?: would|'d)? need (?:to see |access to )?(?:the|your|an?|some) {_PICTURES}",
    rf"{_SEEMS}(?:there (?:are|is|were|was) )?no {_PICTURES}"
    r"[^.!?\n]{0,40}\b(?:provided|attached|uploaded|shared|included|received)\b",
    rf"{_SEEMS}(?:the|your) {_PICTURES}[^.!?\n]{{0,60}}?\b{_MISSING}",
    rf"(?:please|could you(?: please)?) (?:provide|upload|attach|share|send)(?: me)?(?: with)? \w+ {_PICTURES}",
    rf"(?:sure|of course|certainly|i(?:'d| would) be (?:happy|glad|delighted) to)\b[^.!?\n]{{0,60}}?[,.!]?\s*(?:but )?"
    rf"(?:please|could you(?: please)?|i (?:don'?t|do not) (?:see|have)|i(?:'ll| will)? need)\b[^.!?\n]{{0,40}}?"
    rf"{_PICTURES}",
    rf"{_OTHER_SORRY}[^.!?。\n]{{0,80}}?{_OTHER_CANNOT}",
    r"(?:很|非常)?(?:抱歉|对不起)[,，。！!\s]*(?:但)?(?:我|作为)",
    r"我(?:无法|不能)(?:提供|描述|回答|协助|帮助|处理|查看)",
)
_CODES = (
    r"\W*(?:prohibited[_ ]content|safety|recitation|blocklist|content (?:is |was )?(?:blocked|filtered)"
    r"|content_filter|blocked by [\w ]{0,40})\W*$",
)
"""What servers send in place of a reply."""
_POLITE = (
    rf"{_SORRY}(?=\W*$|[.!?\n])",
    r"(?:please|let me know|feel free|thank you|if you|is there anything|i(?:'d| would) be (?:happy|glad)"
    r"|you (?:can|could|may) (?:try|provide|upload|share))\b",
)
_CLAUSE_END = re.compile(
    r"[.!?]+(?:\s+|$)|[。！？\n;]+|\s[-–—]+\s|,?\s*\b(?:but|however|although|though)\b[\s,]*"
    r"|,\s*(?:so|yet|still|maybe|perhaps|probably)\b\s*",
    re.IGNORECASE,
)

_KIND = (
    r"(?:api|http|server|internal|fatal|unexpected|unknown|request|network|connection|runtime|proxy|gateway|timeout)"
)
_STATUS = _any(
    r"bad (?:gateway|request)",
    r"gateway time-?out",
    r"service (?:temporarily )?unavailable",
    r"internal server error",
    r"too many requests",
    r"unauthori[sz]ed",
    r"forbidden",
    r"not found",
    r"overloaded",
    r"error",
)
_REPORTED = re.compile(
    r"[,.!?] (?:says|said|reads|asks|asked|replies|shouts|answers)\b|\b(?:the|a|an|his|her) \w+ (?:says|said|reads)\W*$"
    r"|\bis (?:displayed|shown|written) on\b",
    re.IGNORECASE,
)
"""Somebody in the video says it, or it is written there."""
_ENDS = r"[\w .:/()'-]{0,80}\W*$"

_ERRORS = (
    rf"\[?(?:{_KIND} )*(?:error|exception)\]?\s*(?:[:({{]|- |\W*$)",
    r"\[error\]",
    r"error (?:code|communicating|calling|during|while|in|generating|processing|fetching|occurred)\b",
    r"error \d{3}\s*(?:[:({-]|\W*$)",
    r"(?:an|some) (?:\w+ )?(?:error|exception) (?:has )?(?:occurred|happened|was encountered)",
    r"(?!terror)(?:[a-z_]\w*\.)*[a-z]\w*(?:error|exception|timeout)\s*(?:[:(]|$)",
    r"(?:[a-z_]\w*\.)*exception\(",
    r"https?connection(?:pool)?\(",
    r"(?:max(?:imum)? retries exceeded|server disconnected|econn(?:refused|reset)|etimedout|enotfound)\b",
    r"traceback \(most recent call last\)",
    rf"(?:http(?:/[\d.]+)? )?(?:error )?(?:status(?: code)?:? )?[45]\d\d\s*[:-]?\s*{_STATUS}(?:\s*[:.,;({{\n-]|\W*$)",
    rf"{_STATUS}\W*$",
    r"(?:internal server error|bad gateway|gateway time-?out|service unavailable|too many requests)\s*[:.(-]",
    r"(?:no healthy upstream|upstream (?:connect|request|timed|prematurely))\b",
    r"(?:context deadline exceeded|stream timeout)\b",
    r"(?:the |your )?(?:request|connection|operation|fetch)(?: to [\w.:/]+)? (?:was |has |is )?"
    rf"(?:timed out|aborted|refused|reset|closed|failed|error|time-?out)\b{_ENDS}",
    rf"(?:read|connect) (?:error|time-?out)\b{_ENDS}",
    r"rate.?limit (?:reached|exceeded|error)\b",
    r"(?:you exceeded your current quota|(?:your )?quota (?:has been )?exceeded)\b",
    r"insufficient (?:balance|quota|credits)\b",
    r"(?:invalid|incorrect|missing|no) api[ _]key\b",
    r"this model'?s maximum context length\b",
    rf"(?:the )?(?:input|prompt|context) (?:length )?(?:is too long|exceeds)\b{_ENDS}",
    r"the model\b[^.\n]{0,60}\bdoes not exist\b",
    r"(?:oops[!,.]? )?something went wrong\b[^\n]{0,20}\b(?:please|try again)\b",
    r"(?:oops[!,.]? )?something went wrong\W*$",
    r"the (?:server|model|engine)(?: is| has)? (?:currently |had )?(?:overloaded|unavailable|busy|an error)"
    r"(?:[.,;]? (?:please|try|while)|\W*$)",
    r"(?:cuda (?:out of memory|error)|out of memory\W*$)",
    rf"failed to (?:generate|get|fetch|connect|process|call|reach|obtain)\b{_ENDS}",
    r"<(?:!doctype html|html|\?xml)\b",
    r"\{\s*\"(?:error|errors|detail|error_code|status_code)\"\s*:",
    r"\{\s*\"(?:object|status|type)\"\s*:\s*\"error\"",
    r"\{\s*\"message\"\s*:\s*\"[^\"]*\"\s*\}",
)
_NOTHING = frozenset(
    (
        "|none|null|nil|nan|na|n a|undefined|empty|unknown|unclear|unspecified|object object|no output|no response"
        "|no caption|no description|no answer|not specified|not mentioned|not available|not applicable|not provided"
        "|not known|not sure|cannot be determined|can t be determined|i don t know|i do not know"
    ).split("|")
)
_NOTHING_SINCE = re.compile(r"n/a\s*[-–—:(]", re.IGNORECASE)


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_SIGN = re.compile(
    r"[\"'*\s]*(?:error|forbidden|not found|out of memory|unauthori[sz]ed|overloaded)[\"'*\s.!]*", re.IGNORECASE
)
"""Error messages that may as well be what a model read from a sign or a screen."""

_refusals, _codes, _errors, _polite = map(_compiled, (_REFUSALS, _CODES, _ERRORS, _POLITE))


def is_refusal(said: str) -> bool:
    """Whether a whole text declines to do what was asked, or asks for the video it should have seen."""
    return _begins_like((*_refusals, *_codes), said)


def is_only_refusal(said: str, *, codes: bool = False) -> bool:
    """Whether a text is a refusal and nothing follows it but politeness: no other clause that could be an answer.

    ``codes``: also a word such as ``SAFETY``, which servers send for a reply and which may be an answer."""
    if codes and _begins_like(_codes, said):
        return True
    if not _begins_like(_refusals, said):
        return False
    rest, patterns = _undressed(said), _refusals
    while rest:
        ends = [found.end() for found in (pattern.match(rest) for pattern in patterns) if found]
        if not ends:
            return False
        clause = _CLAUSE_END.search(rest, max(1, min(ends) - 1))
        rest, patterns = rest[clause.end() :] if clause else "", (*_refusals, *_polite)
    return True


def is_error_message(said: str) -> bool:
    """Whether a whole text is an error message."""
    return _begins_like(_errors, said)


def is_server_message(said: str) -> bool:
    """Whether a whole text can only be an error message: ``Forbidden`` by itself may be the writing on a sign."""
    return is_error_message(said) and not _SIGN.fullmatch(said)


def is_nothing(said: str) -> bool:
    """Whether a whole text is empty, has no letter or digit, or is a word for nothing (``None``, ``not specified``)."""
    words = " ".join(re.findall(r"[^\W_]+", said)).lower()
    return words in _NOTHING or _NOTHING_SINCE.match(said.strip()) is not None


def no_content(text: str) -> str:
    """What a part of a reply is that is no content: a refusal, an error message, nothing; "" for content."""
    if is_nothing(text):
        return "nothing"
    if is_refusal(text):
        return "a refusal"
    return "an error message" if is_error_message(text) else ""


def _begins_like(patterns: Sequence[re.Pattern[str]], said: str) -> bool:
    said = _undressed(said)
    if len(said) > _LONGEST or _REPORTED.search(said):
        return False
    return any(pattern.match(said) for pattern in patterns)


def _undressed(said: str) -> str:
    return said.strip().lstrip("*_#>~- \t\n").rstrip("*_ ").replace("’", "'")
