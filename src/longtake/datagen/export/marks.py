"""Marks in texts that a trainer would take for its own: placeholders of media, special tokens, the tags of the form.

What a model wrote is freed of them before it goes into a row. Pure.
"""

from __future__ import annotations

import re

__all__ = ["MARK", "scrubbed"]

_NAMES = (
    r"(?:image|img|video|vid|vila|frame|audio|speech)[\w/.:-]*",
    r"(?:unused|reserved|extra_id_|(?:start|end|begin)_of_)[\w-]*",
    r"(?:s|bos|eos|eot|pad|unk|mask|sep|cls)",
)
MARK = re.compile(
    rf"<\s*/?\s*(?:{'|'.join(_NAMES)})\s*/?\s*>"
    r"|<[|｜][^<>|｜]{1,40}[|｜]>"
    r"|\[/?(?:IMG|IMAGE|VIDEO|AUDIO|INST|BOS|EOS|PAD|UNK|MASK|SEP|CLS)(?:_[A-Z0-9_]+)?\]"
    r"|<</?SYS>>"
    r"|◁[^◁▷]{1,40}▷",
    re.IGNORECASE,
)
"""A placeholder or a special token as models and their templates write them: ``<image>``, ``</s>``, ``<|im_end|>``."""
_FORM = re.compile(r"<\s*/?\s*(?:think|thinking|reasoning|answer|tool_call|tool_response|tools)\s*>", re.IGNORECASE)


def scrubbed(text: str, *, form: bool = False) -> str:
    """``text`` without placeholders of media and special tokens; with ``form`` without the tags that build a
    conversation too. What is left holds none, however they were nested."""
    while (clean := _FORM.sub("", MARK.sub("", text)) if form else MARK.sub("", text)) != text:
        text = clean
    return text
