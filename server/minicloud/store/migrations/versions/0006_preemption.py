"""Who makes room for whom, which operations wait for others, and which priorities a project may ask for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Spelt out here: a migration means the same for ever, whatever the models become.
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

_OPEN = sa.text("state IN ('waiting', 'queued', 'claimed', 'running')")
_YIELDING = sa.text("yields_to IS NOT NULL")


def upgrade() -> None:
    """Null is for what waits for nobody, makes room for nobody, and may ask for anything."""
    op.add_column("projects", sa.Column("priority_max", sa.Integer(), nullable=True))
    op.add_column("operations", sa.Column("after", JSON, nullable=True))
    op.add_column("vms", sa.Column("yields_to", sa.String(), nullable=True))
    op.add_column("vms", sa.Column("preempted", JSON, nullable=True))
    op.create_index(
        "ix_vms_yields_to", "vms", ["yields_to"], unique=False, postgresql_where=_YIELDING, sqlite_where=_YIELDING
    )
    op.drop_index("ix_operations_open", table_name="operations")
    op.create_index(
        "ix_operations_open",
        "operations",
        ["state", "not_before"],
        unique=False,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")
