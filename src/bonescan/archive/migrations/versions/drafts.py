"""Jobs of other kinds than reading, what a signed reading revises and amends, and physicians' drafts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "drafts"
down_revision = "people"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    """Make them; what is known of earlier readings is taken over from their jobs."""
    op.add_column("job", _text("payload"))
    for name in ("revision", "of_version", "amends"):
        op.add_column("result", _count(name))
    op.execute(
        "UPDATE result SET revision = coalesce((SELECT job.revision FROM job WHERE job.id = result.job_id "
        'AND job."StudyInstanceUID" = result."StudyInstanceUID"), 0)'
    )
    op.create_table(
        "draft",
        sa.Column("StudyInstanceUID", sa.Text, primary_key=True, nullable=False),
        *(_count(name) for name in ("version", "of_version", "number")),
        *(_text(name) for name in ("author", "begun_at", "changed_at", "edits")),
        _count("applied"),
        *(_text(name) for name in ("words", "language")),
        _count("job_id"),
    )


def downgrade() -> None:
    """Refuse: the tables hold what nobody may lose."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
