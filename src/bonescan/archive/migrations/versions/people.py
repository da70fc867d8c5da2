"""The workstation's tables: accounts, sign-ins, failed attempts, and what the worklist says of each newest reading."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "people"
down_revision = "first"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _numbers(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double, nullable=False, server_default="0") for name in names]


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "account",
        _key("name_key"),
        *_texts("name", "role", "password_hash"),
        sa.Column("active", sa.Boolean, nullable=False),
        *_texts("made_at", "changed_at"),
    )
    op.create_table(
        "sign_in",
        _key("token_sha256"),
        *_texts("name_key"),
        *_numbers("began_s", "seen_s"),
    )
    op.create_index("ix_sign_in_name_key", "sign_in", ["name_key"])
    op.create_table(
        "attempt",
        _key("key"),
        sa.Column("failures", sa.BigInteger, nullable=False, server_default="0"),
        *_numbers("first_s", "last_s"),
    )
    op.create_table(
        "told",
        _key("StudyInstanceUID"),
        sa.Column("version", sa.Integer, nullable=False),
        *_texts("folder", "conclusion"),
        sa.Column("metastases_likelihood", sa.Double),
        sa.Column("bone_scan_index_percent", sa.Double),
        sa.Column("bone_findings", sa.Integer, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Refuse: the tables hold who may sign in."""
    raise NotImplementedError("restore a backup that the earlier bonescan made")
