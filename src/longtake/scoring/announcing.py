"""The wordings around an answer: what announces it, what calls it right, and what takes it back. Pure.

Knows sentences, no options; `choice` reads what stands beside them.
"""

from __future__ import annotations

import re

__all__ = [
    "IS_RIGHT",
    "IS_THE_ANSWER",
    "SAYS",
    "SUGGESTS",
    "answer_from",
    "is_conditional",
    "is_doubted",
    "is_taken_back",
]

_SURELY = (
    r"(?:(?:(?:it|that)['’]s|therefore|thus|then|clearly|most|likely|probably|definitely|indeed|simply|just|still|either|that|it|is"
    r"|actually|really|in fact|the|my|correct|right|best|final|answer|option|choice|letter)\b\s*[:=]?\s*)*"
)
SAYS = re.compile(
    r"(?:\b(?:answer|choice|option|conclusion|response|selection|solution)"
    r"(?:\s+(?:to|for|of|from|in|here|that|which|would|should|must|i|we|based|given)\b[^.:;\n]{0,80}?|,[^.:;\n]{0,80}?,)?"
    r"\s*(?:\b(?:is|be|was)\b|[:=→–—]|[-=]>|-)[\s:]*"
    r"|\b(?:answer|final choice)\s+|\b(?:ans|correct|result|decision)\s*[.:=]\s*"
    r"|\b(?:choose|chose|select|selected|pick|picked|going with|go with|opt for|settle on|conclude)\s+"
    r"|\b(?:the|my) best(?:\s+(?:one|fit|match|guess))?\s+is\s+"
    r"|\b(?:respuesta|r[ée]ponse|antwort|resposta|risposta)(?:\s+(?:corre[a-z]+|finale?|richtige|bonne))?"
    r"\s*(?:\b(?:es|est|ist|é|è|lautet)\b|:)\s*:?\s*"
    r"(?:(?:l[ae]|el|a|o|die|opción|opci[oó]n|option|opção|opzione|letra|lettre|lettera)\s+)*"
    r"|(?:答案|选择|选项|选|答え|正解|정답|답)\s*(?:应该)?(?:是|为|為|は|은|는)?\s*:?\s*)" + _SURELY,
    re.IGNORECASE,
)
"""Ends where the answer that is announced begins."""
SUGGESTS = re.compile(
    r"(?:\b(?:it|that|this)(?:\s+(?:is|must be|has to be|should be|would be)|['’]s)"
    r"|\b(?:i say|i['’]d say|i would say|i think|i believe|therefore|thus|hence|so|consequently|finally|actually)\b"
    r"|\b(?:sure|certain|confident)(?:\s+(?:that|about|of))?\b)[\s,:]*" + _SURELY,
    re.IGNORECASE,
)
_BE = r"[\s)\].:]*\b(?:is|was|must be|has to be|should be|seems|appears)\s+"
_SOMEHOW = r"(?:(?:the|a|clearly|thus|therefore|definitely|only|to be|indeed|my|also)\s+)*"
IS_RIGHT = re.compile(
    rf"{_BE}{_SOMEHOW}(?:most\s+|likely\s+)*(?:correct|right|best|true|answer|plausible|accurate|appropriate)\b",
    re.IGNORECASE,
)
IS_THE_ANSWER = re.compile(
    rf"{_BE}{_SOMEHOW}(?:(?:most |likely )*(?:correct|right|best|final)\s+(?:answer|option|choice|one)"
    r"|answer|(?:more|most)\s+(?:likely|plausible|probable)|best|better)\b",
    re.IGNORECASE,
)
"""Says of what stands before it that it is the answer, which `IS_RIGHT` may say of a mere statement."""

_NOT_BUT = re.compile(r"not\s+[^.;:\n]{1,40}?[\s,;]+but\s+(?:rather\s+|instead\s+|is\s+)?", re.IGNORECASE)
_FAR = 120
_SENTENCE = re.compile(r"[.;!?\n。；！？]")
_CLAUSE = re.compile(
    r"[.,;:!?\n。，；：！？]|\b(?:but|however|so|therefore|thus|hence|because|since|then|and|although|though)\b",
    re.IGNORECASE,
)
_WHICH_IS_NOT = re.compile(r"\b(?:that|which|who)\s+(?:is|are|was|were|does|do|did|has|have)(?:\s+not|n['’]t)\b", re.I)
_DOUBT = re.compile(
    r"(?:\b(?:not|never|cannot|false|untrue|unlikely|(?<!no )(?<!without )(?<!without a )doubt\w*)|n['’]t)\b"
    r"(?!\s+only\b)"
    r"|\b(?:whether|if|unless)\s+(?:\w+\s+){0,2}\Z"
    r"|\b(?:i|we|you|he|she|they|one|have|had|initially|first)\s+(?:\w+\s+)?(?:thought|assumed|believed|supposed)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\bif\s+(?:i|we)\s+(?:had to|have to|must|were to|were forced)\b|\bif\s+(?:forced|pressed|asked)\b", re.I
)
_WOULD = re.compile(r"\b(?:would|might|could)\b", re.IGNORECASE)
_IF = re.compile(r"\b(?:if|unless|had)\b", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r"[^.\n]{0,80}?\b(?:but|however)\b[^.\n]{0,60}?\b(?:it|that|this)\s+(?:is|was)(?:\s+not|n['’]t|\s+wrong|\s+incorrect)"
    r"\s*(?:[;,.]|\Z)",
    re.IGNORECASE,
)


def answer_from(text: str, at: int) -> int:
    """Where the announced answer begins, after an announcement that ends at ``at`` and a ``not A but``."""
    contrast = _NOT_BUT.match(text, at)
    return contrast.end() if contrast else at


def is_doubted(text: str, start: int) -> bool:
    """Whether the clause before ``start`` denies or doubts what follows: ``I do not think the answer is``."""
    clause = _CLAUSE.split(text[max(0, start - _FAR) : start])[-1]
    return _DOUBT.search(_WHICH_IS_NOT.sub(" ", _ASKED.sub(" ", clause))) is not None


def is_conditional(text: str, start: int, end: int) -> bool:
    """Whether what ``text[start:end]`` announces would be the answer only if something else were so."""
    if not _WOULD.search(text, start, end):
        return False
    before = _SENTENCE.split(text[max(0, start - _FAR) : start])[-1]
    after = _SENTENCE.split(text[end : end + _FAR])[0]
    return _IF.search(_ASKED.sub(" ", f"{before} {after}")) is not None


def is_taken_back(text: str, end: int) -> bool:
    """Whether the same sentence goes on to say that it is not: ``however on closer view it is not``."""
    return _TAKEN_BACK.match(text, end) is not None
