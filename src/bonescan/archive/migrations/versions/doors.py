"""Browsers in which a name has signed in before, and people as an OpenID provider names them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "doors"
down_revision = "drafts"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def upgrade() -> None:
    """Make both, and note when somebody proved once more who they are."""
    op.add_column("sign_in", sa.Column("proved_s", sa.Double, nullable=False, server_default="0"))
    op.create_table(
        "known_browser",
        _key("token_sha256"),
        _key("name_key"),
        sa.Column("seen_s", sa.Double, nullable=False, server_default="0"),
    )
    op.create_table(
        "provided",
        _key("issuer"),
        _key("subject"),
        sa.Column("name_key", sa.Text, nullable=False, unique=True),
    )


def downgrade() -> None:
    """Refuse: the tables hold who may sign in."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
