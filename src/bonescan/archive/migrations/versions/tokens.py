"""Access tokens of machines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "tokens"
down_revision = "doors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    texts = ("name", "role", "made_by", "made_at", "used_at", "revoked_at")
    op.create_table(
        "access_token",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("token_sha256", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in texts),
    )


def downgrade() -> None:
    """Refuse: the table holds who may store objects."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
