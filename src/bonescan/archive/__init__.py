"""Where studies and readings live: objects by UID, an index of them, the queue of readings and the audit trail."""

from bonescan.archive.backup import Backup, back_up, restore
from bonescan.archive.jobs import Job, JobState, Queue
from bonescan.archive.results import StoredReading
from bonescan.archive.settings import RetentionRule, Settings, load_settings
from bonescan.archive.shelf import Archive
from bonescan.archive.upkeep import CheckReport, Due, Reindexed, check, due, reindex, retain
from bonescan.archive.worker import run_worker

__all__ = [
    "Archive",
    "Backup",
    "CheckReport",
    "Due",
    "Job",
    "JobState",
    "Queue",
    "Reindexed",
    "RetentionRule",
    "Settings",
    "StoredReading",
    "back_up",
    "check",
    "due",
    "load_settings",
    "reindex",
    "restore",
    "retain",
    "run_worker",
]
