"""Whole journeys through the house: the only place where rooms that do not know each other meet, and meet the disk."""

from bonescan.journeys.clinic import OUTPUT_NAMES, Progress, demo, example_scan, manifest, plan, read, summary
from bonescan.journeys.files import write_file

__all__ = ["OUTPUT_NAMES", "Progress", "demo", "example_scan", "manifest", "plan", "read", "summary", "write_file"]
