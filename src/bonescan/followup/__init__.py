"""Two or more readings of one person: aligned, matched, changed."""

from bonescan.followup.area import AreaResponse, area_response
from bonescan.followup.progression import Progression, ScanEvent, judge_progression

__all__ = ["AreaResponse", "Progression", "ScanEvent", "area_response", "judge_progression"]
