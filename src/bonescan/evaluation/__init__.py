"""Readings held against truth: matched, counted, drawn."""

from bonescan.evaluation.circles import Circle, agreement_with_circles, circles_of
from bonescan.evaluation.comparison import compare, unread
from bonescan.evaluation.pages import EVALUATION_SCHEMA, evaluation_files, evaluation_record, evaluation_schema
from bonescan.evaluation.truth import Appearance, TrueSpot, TrueView, Truth, picture_names, truth_of

__all__ = [
    "EVALUATION_SCHEMA",
    "Appearance",
    "Circle",
    "TrueSpot",
    "TrueView",
    "Truth",
    "agreement_with_circles",
    "circles_of",
    "compare",
    "evaluation_files",
    "evaluation_record",
    "evaluation_schema",
    "picture_names",
    "truth_of",
    "unread",
]
