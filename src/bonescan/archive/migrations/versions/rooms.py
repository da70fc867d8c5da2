"""What the quality page tells of each newest reading: counts, delay, activity, speed, sensitivity, checks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "rooms"
down_revision = "comparisons"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "measured",
        sa.Column("StudyInstanceUID", sa.Text, primary_key=True, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("folder", "day", "camera")),
        *(
            sa.Column(name, sa.Double)
            for name in (
                "counts_anterior",
                "counts_posterior",
                "delay_h",
                "activity_mbq",
                "speed_cm_per_min",
                "sensitivity",
            )
        ),
        sa.Column("checks", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("ix_measured_day", "measured", ["day"])


def downgrade() -> None:
    """Drop it: it is filled anew from the readings."""
    op.drop_table("measured")
