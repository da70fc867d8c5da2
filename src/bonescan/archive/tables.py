"""The tables of the index: studies, series, instances, conflicts, jobs, results, drafts and the audit trail.

The columns that DICOM queries ask for are named by their DICOM keywords, straight from
`bonescan.dicom.indexing.INDEXED`. Files are never named here: an object's place follows from its UID. Times are text in
UTC (ISO 8601), for people; nothing that must not happen too early or too late is decided by them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKeyConstraint, Integer, MetaData, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from bonescan.dicom.indexing import INDEXED
from bonescan.dicom.node.shelf import Level

__all__ = [
    "access_token",
    "account",
    "audit",
    "comparison",
    "conflict",
    "doomed",
    "draft",
    "instance",
    "job",
    "metadata",
    "meter",
    "provided",
    "result",
    "series",
    "study",
]

metadata = MetaData()


def _said(keyword: str, *, key: bool = False) -> Column[str]:
    """A column for what a file says of itself."""
    return Column(keyword, Text, nullable=False, primary_key=key, default="", index=keyword in _ASKED_FOR)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, primary_key=key, default="")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0)


_ASKED_FOR = {"PatientID", "StudyDate", "AccessionNumber"}

study = Table(
    "study",
    metadata,
    _said("StudyInstanceUID", key=True),
    *(_said(keyword) for keyword in INDEXED[Level.PATIENT]),
    *(_said(keyword) for keyword in INDEXED[Level.STUDY] if keyword != "StudyInstanceUID"),
    _text("first_received"),
    _text("last_received"),
    _count("revision"),  # how often something came that a reading would look at
    _count("queued_revision"),  # for which of them a reading was asked
)

series = Table(
    "series",
    metadata,
    _said("StudyInstanceUID", key=True),
    _said("SeriesInstanceUID", key=True),
    *(_said(keyword) for keyword in INDEXED[Level.SERIES] if keyword != "SeriesInstanceUID"),
    ForeignKeyConstraint(["StudyInstanceUID"], ["study.StudyInstanceUID"]),
)

instance = Table(
    "instance",
    metadata,
    _said("SOPInstanceUID", key=True),
    Column("StudyInstanceUID", Text, nullable=False, index=True),
    Column("SeriesInstanceUID", Text, nullable=False, index=True),
    *(_said(keyword) for keyword in INDEXED[Level.IMAGE] if keyword != "SOPInstanceUID"),
    _text("transfer_syntax_uid"),
    _text("sha256"),
    _text("data_set_sha256"),
    _count("size_bytes"),
    _text("calling_ae"),
    _text("received_at"),
    Column("whole", Boolean, nullable=False, default=True),  # false once a check found the file damaged or gone
    ForeignKeyConstraint(
        ["StudyInstanceUID", "SeriesInstanceUID"], ["series.StudyInstanceUID", "series.SeriesInstanceUID"]
    ),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("SOPInstanceUID", Text, nullable=False, index=True),
    _text("sha256"),
    _text("data_set_sha256"),
    _count("size_bytes"),
    _text("calling_ae"),
    _text("received_at"),
    Unique("SOPInstanceUID", "data_set_sha256"),
)

# deleted from the index, their files not yet: an "object" by UID, a "conflict" by digest, a "reading" or a "comparison"
# by folder
doomed = Table("doomed", metadata, _text("kind", key=True), _text("name", key=True))

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("kind"),
    Column("StudyInstanceUID", Text, nullable=False),
    _count("revision"),
    Column("state", Text, nullable=False, index=True),
    _count("attempts"),
    _count("interruptions"),
    Column("wait_s", Float, nullable=False, default=0.0),
    _text("owner"),
    _count("heartbeat"),
    _text("progress"),
    _text("reason"),
    _text("made_at"),
    _text("changed_at"),
    _text("payload"),  # what is to be done, in JSON
    Column("nothing_to_read", Boolean, nullable=False, default=False),  # dead, and yet nothing failed
    Unique("kind", "StudyInstanceUID", "revision"),
)

result = Table(
    "result",
    metadata,
    Column("StudyInstanceUID", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("folder"),
    _text("made_at"),
    _count("job_id"),
    _text("sources_sha256"),
    _text("files_sha256"),
    _text("signed_by"),
    _text("signed_at"),
    _count("revision"),  # of the study, when the reading was asked for; 0 where nobody knows
    _count("of_version"),  # the reader's version that a physician revised; 0 for one of the reader's own
    _count("amends"),  # the signed version that this one replaces; 0 for none
)

# one scan of a person held against an earlier one; of each pair every version stays
comparison = Table(
    "comparison",
    metadata,
    Column("StudyInstanceUID", Text, primary_key=True),
    Column("PriorStudyInstanceUID", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("folder"),
    _text("made_at"),
    _count("job_id"),
    _text("readings"),  # [study, version, folder] of every reading it was made of, by date, in JSON
    _text("files_sha256"),
)

# what a physician is at work on; at most one of a study
draft = Table(
    "draft",
    metadata,
    _text("StudyInstanceUID", key=True),
    _count("version"),  # from which it was begun
    _count("of_version"),  # the reader's version to which all its edits apply
    _count("number"),  # grows with every change
    _text("author"),
    _text("begun_at"),
    _text("changed_at"),
    _text("edits"),  # in JSON, those that were undone among them
    _count("applied"),  # how many of them hold
    _text("words"),  # what the physician has written, in JSON, by section.entry
    _text("language"),
    _count("job_id"),  # that signs it, 0 while none was asked for
)

meter = Table("meter", metadata, _text("name", key=True), _count("value"))

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("at"),
    _text("actor"),
    _text("action"),
    _text("subject"),
    _text("detail"),
    _text("previous"),
    _text("hash"),
)

# who may sign in at the workstation; here, so that backups hold it
account = Table(
    "account",
    metadata,
    _text("name_key", key=True),  # the name as it is compared: without regard to case and width
    _text("name"),
    _text("role"),
    _text("password_hash"),
    Column("active", Boolean, nullable=False, default=True),
    _text("made_at"),
    _text("changed_at"),
)

provided = Table(
    "provided",
    metadata,
    _text("issuer", key=True),  # an OpenID provider, and how it names somebody for good
    _text("subject", key=True),
    Column("name_key", Text, nullable=False, unique=True),
)

# what machines show at the workstation instead of a password; a backup holds only their digests
access_token = Table(
    "access_token",
    metadata,
    _text("id", key=True),
    _text("name"),
    _text("role"),
    Column("token_sha256", Text, nullable=False, unique=True),
    _text("made_by"),
    _text("made_at"),
    _text("used_at"),
    _text("revoked_at"),
)
