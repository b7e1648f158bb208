"""Room that is held for a while, without a VM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Spelt out here: a migration means the same for ever, whatever the models become.
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
HELD = "state = 'held'"
NAMED = "state = 'held' AND name IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("cpu", sa.Integer(), nullable=False),
        sa.Column("ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_bytes", sa.BigInteger(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("decision", JSON, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("vm", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('held', 'used', 'released', 'expired')", name=op.f("ck_reservations_state")),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name=op.f("fk_reservations_project_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    _index("ix_reservations_held_host", ["host"], HELD)
    _index("ix_reservations_held_until", ["expires_at"], HELD)
    _index("uq_reservations_project_name", ["project", "name"], NAMED, unique=True)
    op.create_index(op.f("ix_hosts_generation"), "hosts", ["generation"])


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")


def _index(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "reservations", columns, unique=unique, postgresql_where=where, sqlite_where=where)
