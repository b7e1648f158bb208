"""What the scheduler is told of a host: to whom it is dedicated, its watts, bandwidth, features, networks, failures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Spelt out here: a migration means the same for ever, whatever the models become.
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Null is for what nobody has said, or seen."""
    op.add_column("hosts", sa.Column("dedicated", JSON, nullable=True))
    op.add_column("hosts", sa.Column("power", JSON, nullable=True))
    op.add_column("hosts", sa.Column("bandwidth_mbps", sa.Integer(), nullable=True))
    op.add_column("hosts", sa.Column("cpu_features", JSON, nullable=True))
    op.add_column("hosts", sa.Column("networks", JSON, nullable=True))
    op.add_column("hosts", sa.Column("failures", JSON, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")
