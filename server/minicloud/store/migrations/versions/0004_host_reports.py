"""What hosts tell of themselves: pools, NUMA nodes, machine types, images, and measurements beside the CPU's; and the
NUMA nodes on which VMs lie."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Spelt out here: a migration means the same for ever, whatever the models become.
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Null is for what nobody has seen, and for VMs that lie on no nodes of their own."""
    op.add_column("hosts", sa.Column("pools", JSON, nullable=True))
    op.add_column("hosts", sa.Column("numa", JSON, nullable=True))
    op.add_column("hosts", sa.Column("machines", JSON, nullable=True))
    op.add_column("hosts", sa.Column("images", JSON, nullable=True))
    op.add_column("hosts", sa.Column("measured", JSON, nullable=True))
    op.add_column("allocations", sa.Column("nodes", JSON, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")
