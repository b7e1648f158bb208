"""Version 1 of the views that inventories read. A change that readers would notice is a version 2 beside it."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What inventories read. JSON columns are text, so that every client of either database reads them alike."""
    as_text = "::text" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"""
        CREATE VIEW inventory_v1_hosts AS
        SELECT name, address, ssh_user, ssh_port, ssh_key_file, libvirt_uri, state, cordoned, accelerator, cpu, ram_mib,
               labels{as_text} AS labels
        FROM hosts
        """
    )
    op.execute(
        f"""
        CREATE VIEW inventory_v1_vms AS
        SELECT id, uuid, name, project, status, desired, host, cpu, ram_mib, image,
               labels{as_text} AS labels, addresses{as_text} AS addresses
        FROM vms
        WHERE deleted_at IS NULL
        """
    )


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")
