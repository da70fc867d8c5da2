"""A reading in words, tables, pictures and bytes: JSON, label maps, HTML and PDF."""

from bonescan.report.maps import load_bones
from bonescan.report.record import SCHEMA_VERSION, reading_schema
from bonescan.report.rendering import render

__all__ = ["SCHEMA_VERSION", "load_bones", "reading_schema", "render"]
