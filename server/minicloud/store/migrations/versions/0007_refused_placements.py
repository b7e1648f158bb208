"""Decisions that found no host: they have no VM, and say themselves what was asked for, by whom and for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WITHOUT_VM = sa.text("vm IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("placements") as table:
        table.alter_column("vm", existing_type=sa.String(), nullable=True)
        table.alter_column("operation", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("name", sa.String(), nullable=True))
        table.add_column(sa.Column("project", sa.String(), nullable=True))
        table.add_column(sa.Column("actor", sa.String(), nullable=True))
        table.add_column(sa.Column("request_id", sa.String(), nullable=True))
    op.create_index(
        "ix_placements_refused",
        "placements",
        ["project", "number"],
        unique=False,
        postgresql_where=_WITHOUT_VM,
        sqlite_where=_WITHOUT_VM,
    )


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")
