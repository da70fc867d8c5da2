"""The comparisons of scans of one person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "comparisons"
down_revision = "tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "comparison",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("StudyInstanceUID", "PriorStudyInstanceUID")),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("folder", "made_at")),
        sa.Column("job_id", sa.BigInteger, nullable=False, server_default="0"),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("readings", "files_sha256")),
    )


def downgrade() -> None:
    """Refuse: the tables hold what nobody may lose."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
