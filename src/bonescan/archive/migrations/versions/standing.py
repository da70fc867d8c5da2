"""What is signed in the worklist's own table, and jobs that found nothing to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "standing"
down_revision = "rooms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; signed studies are told of anew, once, and jobs that ended at slices are known by their reason."""
    for name in ("signed_folder", "concluded"):
        op.add_column("told", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.execute(
        'DELETE FROM told WHERE "StudyInstanceUID" IN (SELECT "StudyInstanceUID" FROM result WHERE signed_by <> \'\')'
    )
    op.add_column("job", sa.Column("nothing_to_read", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE job SET nothing_to_read = true WHERE kind = 'read' AND state = 'dead' "
        "AND reason LIKE '%, not a planar scan; give the whole-body or static images.'"
    )


def downgrade() -> None:
    """Refuse: the tables hold what nobody may lose."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
