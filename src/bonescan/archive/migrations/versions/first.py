"""The first tables. A later change is a file of its own beside this one, which never changes again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "first"
down_revision = None
branch_labels = None
depends_on = None

_PERSON = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName")
_SERIES = (
    "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined", "Manufacturer",
    "ManufacturerModelName", "StationName",
)  # fmt: skip
_IMAGE = (
    "SOPClassUID", "InstanceNumber", "ImageType", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
    "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime",
)  # fmt: skip


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names]


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "study",
        _key("StudyInstanceUID"),
        *_texts(*_PERSON, *_STUDY, "first_received", "last_received"),
        *_counts("revision", "queued_revision"),
    )
    for asked_for in ("PatientID", "StudyDate", "AccessionNumber"):
        op.create_index(f"ix_study_{asked_for}", "study", [asked_for])
    op.create_table(
        "series",
        _key("StudyInstanceUID"),
        _key("SeriesInstanceUID"),
        *_texts(*_SERIES),
        sa.ForeignKeyConstraint(["StudyInstanceUID"], ["study.StudyInstanceUID"]),
    )
    op.create_table(
        "instance",
        _key("SOPInstanceUID"),
        *_texts("StudyInstanceUID", "SeriesInstanceUID", *_IMAGE, "transfer_syntax_uid", "sha256", "data_set_sha256"),
        *_counts("size_bytes"),
        *_texts("calling_ae", "received_at"),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["StudyInstanceUID", "SeriesInstanceUID"], ["series.StudyInstanceUID", "series.SeriesInstanceUID"]
        ),
    )
    op.create_index("ix_instance_StudyInstanceUID", "instance", ["StudyInstanceUID"])
    op.create_index("ix_instance_SeriesInstanceUID", "instance", ["SeriesInstanceUID"])
    op.create_table(
        "conflict",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("SOPInstanceUID", "sha256", "data_set_sha256"),
        *_counts("size_bytes"),
        *_texts("calling_ae", "received_at"),
        sa.UniqueConstraint("SOPInstanceUID", "data_set_sha256"),
    )
    op.create_index("ix_conflict_SOPInstanceUID", "conflict", ["SOPInstanceUID"])
    op.create_table("doomed", _key("kind"), _key("name"))
    op.create_table(
        "job",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("kind", "StudyInstanceUID"),
        *_counts("revision"),
        *_texts("state"),
        *_counts("attempts", "interruptions"),
        sa.Column("wait_s", sa.Float, nullable=False, server_default="0"),
        *_texts("owner"),
        *_counts("heartbeat"),
        *_texts("progress", "reason", "made_at", "changed_at"),
        sa.UniqueConstraint("kind", "StudyInstanceUID", "revision"),
    )
    op.create_index("ix_job_state", "job", ["state"])
    op.create_table(
        "result",
        _key("StudyInstanceUID"),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("folder", "made_at"),
        *_counts("job_id"),
        *_texts("sources_sha256", "files_sha256", "signed_by", "signed_at"),
    )
    op.create_table("meter", _key("name"), *_counts("value"))
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *_texts("at", "actor", "action", "subject", "detail", "previous", "hash"),
    )
    _lock_the_audit()


def _lock_the_audit() -> None:
    """Let the database itself refuse to change or delete what the audit trail says: the first, weaker guard."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_never_changed()"
    )


def downgrade() -> None:
    """Refuse: the tables hold what nobody may lose."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
