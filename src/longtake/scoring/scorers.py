"""Scorers: ``(Trace, Sample) -> Score``. The same functions measure, filter data and reward training.

A run without an answer gets no verdict and the reason, never 0; so does a sample whose gold is missing. This module
only names them all in one place.
"""

from .base import Scorer
from .choice import choice, choice_strict, extract_choice, strict_choice
from .form import format_, format_longvt
from .grounding import asa, clip, read_spans, recall_03, recall_05, recall_07, temporal_iou
from .maths import maths
from .numbers import number
from .text import contains, exact, mentions, relaxed

__all__ = [
    "Scorer",
    "asa",
    "choice",
    "choice_strict",
    "clip",
    "contains",
    "exact",
    "extract_choice",
    "format_",
    "format_longvt",
    "maths",
    "mentions",
    "number",
    "read_spans",
    "recall_03",
    "recall_05",
    "recall_07",
    "relaxed",
    "strict_choice",
    "temporal_iou",
]
