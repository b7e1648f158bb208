"""The first schema: projects to placements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelt out here: a migration means the same for ever, whatever the models become.
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

FIRST_VM_NUMBER = 101


def upgrade() -> None:
    _create_audit()
    _create_counters()
    _create_events()
    _create_hosts()
    _create_idempotency()
    _create_images()
    _create_projects()
    _create_runs()
    _create_domains()
    _create_tokens()
    _create_vms()
    _create_allocations()
    _create_operations()
    _create_placements()
    _create_operation_events()
    op.execute(f"INSERT INTO counters (name, value) VALUES ('vm', {FIRST_VM_NUMBER - 1})")


def downgrade() -> None:
    raise NotImplementedError("minicloud's schema only goes forward; restore a backup to go back")


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_resource"), "audit", ["resource"], unique=False)


def _create_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("vm", sa.String(), nullable=True),
        sa.Column("operation", sa.String(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_operation"), "events", ["operation"], unique=False)
    op.create_index(op.f("ix_events_vm"), "events", ["vm"], unique=False)


def _create_hosts() -> None:
    op.create_table(
        "hosts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("ssh_user", sa.String(), nullable=False),
        sa.Column("ssh_port", sa.Integer(), nullable=False),
        sa.Column("ssh_key_file", sa.String(), nullable=True),
        sa.Column("libvirt_uri", sa.String(), nullable=False),
        sa.Column("migrate_address", sa.String(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("fence", JSON, nullable=True),
        sa.Column("cpu_overcommit", sa.Double(), nullable=True),
        sa.Column("ram_reserved_mib", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_reason", sa.String(), nullable=False),
        sa.Column("state_at", MOMENT, nullable=False),
        sa.Column("cordoned", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("fence_not_before", MOMENT, nullable=True),
        sa.Column("cpu", sa.Integer(), nullable=False),
        sa.Column("ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_bytes", sa.BigInteger(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("accelerator", sa.String(), nullable=False),
        sa.Column("versions", JSON, nullable=False),
        sa.Column("load", sa.Double(), nullable=True),
        sa.Column("load_at", MOMENT, nullable=True),
        sa.Column("observed_at", MOMENT, nullable=True),
        sa.Column("silent_since", MOMENT, nullable=True),
        sa.Column("silence_reason", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "state IN ('registering', 'ready', 'suspect', 'fencing', 'down', 'maintenance')",
            name=op.f("ck_hosts_state"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_hosts")),
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_expires_at"), "idempotency", ["expires_at"], unique=False)


def _create_images() -> None:
    op.create_table(
        "images",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("cmdline", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("min_ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("min_disk", sa.BigInteger(), nullable=False),
        sa.Column("files", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_images")),
    )


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("vm_limit", sa.Integer(), nullable=True),
        sa.Column("cpu_limit", sa.Integer(), nullable=True),
        sa.Column("ram_mib_limit", sa.BigInteger(), nullable=True),
        sa.Column("disk_bytes_limit", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projects")),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("playbook", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("operations", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )


def _create_domains() -> None:
    op.create_table(
        "domains",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("vm", sa.String(), nullable=True),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("spec_hash", sa.String(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("cpu", sa.Integer(), nullable=False),
        sa.Column("ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("cpu_time_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["host"], ["hosts.name"], name=op.f("fk_domains_host_hosts"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("host", "uuid", name=op.f("pk_domains")),
    )
    op.create_index(op.f("ix_domains_uuid"), "domains", ["uuid"], unique=False)
    op.create_index(op.f("ix_domains_vm"), "domains", ["vm"], unique=False)


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("role = 'admin' OR project IS NOT NULL", name=op.f("ck_tokens_scope")),
        sa.CheckConstraint("role IN ('admin', 'member', 'viewer')", name=op.f("ck_tokens_role")),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name=op.f("fk_tokens_project_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )


def _create_vms() -> None:
    op.create_table(
        "vms",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("spec_hash", sa.String(), nullable=False),
        sa.Column("cpu", sa.Integer(), nullable=False),
        sa.Column("ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_bytes", sa.BigInteger(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("image_content", JSON, nullable=False),
        sa.Column("disks", JSON, nullable=False),
        sa.Column("nics", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("desired", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(), nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("correction_attempts", sa.Integer(), nullable=False),
        sa.Column("correction_not_before", MOMENT, nullable=True),
        sa.Column("observed_state", sa.String(), nullable=True),
        sa.Column("observed_host", sa.String(), nullable=True),
        sa.Column("observed_at", MOMENT, nullable=True),
        sa.Column("cpu_time_ns", sa.BigInteger(), nullable=False),
        sa.Column("addresses", JSON, nullable=False),
        sa.ForeignKeyConstraint(["host"], ["hosts.name"], name=op.f("fk_vms_host_hosts")),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name=op.f("fk_vms_project_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vms")),
        sa.UniqueConstraint("number", name=op.f("uq_vms_number")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vms_uuid")),
    )
    op.create_index(op.f("ix_vms_host"), "vms", ["host"], unique=False)
    op.create_index(op.f("ix_vms_image"), "vms", ["image"], unique=False)
    op.create_index(op.f("ix_vms_status"), "vms", ["status"], unique=False)
    op.create_index(
        "uq_vms_project_name",
        "vms",
        ["project", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )


def _create_allocations() -> None:
    op.create_table(
        "allocations",
        sa.Column("vm", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("cpu", sa.Integer(), nullable=False),
        sa.Column("ram_mib", sa.BigInteger(), nullable=False),
        sa.Column("disk_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["host"], ["hosts.name"], name=op.f("fk_allocations_host_hosts")),
        sa.ForeignKeyConstraint(["vm"], ["vms.id"], name=op.f("fk_allocations_vm_vms")),
        sa.PrimaryKeyConstraint("vm", "host", name=op.f("pk_allocations")),
    )
    op.create_index(op.f("ix_allocations_host"), "allocations", ["host"], unique=False)


def _create_operations() -> None:
    op.create_table(
        "operations",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("vm", sa.String(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("destination", sa.String(), nullable=True),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("previous", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", MOMENT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("run", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name=op.f("fk_operations_project_projects")),
        sa.ForeignKeyConstraint(["vm"], ["vms.id"], name=op.f("fk_operations_vm_vms")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_operations")),
        sa.UniqueConstraint("id", name=op.f("uq_operations_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_operations_host"), "operations", ["host"], unique=False)
    op.create_index(
        "ix_operations_open",
        "operations",
        ["state", "not_before"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'claimed', 'running')"),
        sqlite_where=sa.text("state IN ('queued', 'claimed', 'running')"),
    )
    op.create_index(op.f("ix_operations_project"), "operations", ["project"], unique=False)
    op.create_index(op.f("ix_operations_vm"), "operations", ["vm"], unique=False)
    op.create_index(
        "uq_operations_vm_held",
        "operations",
        ["vm"],
        unique=True,
        postgresql_where=sa.text("exclusive AND state IN ('claimed', 'running')"),
        sqlite_where=sa.text("exclusive AND state IN ('claimed', 'running')"),
    )


def _create_placements() -> None:
    op.create_table(
        "placements",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("vm", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("decision", JSON, nullable=False),
        sa.ForeignKeyConstraint(["vm"], ["vms.id"], name=op.f("fk_placements_vm_vms")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_placements")),
    )
    op.create_index(op.f("ix_placements_vm"), "placements", ["vm"], unique=False)


def _create_operation_events() -> None:
    op.create_table(
        "operation_events",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["operation"], ["operations.id"], name=op.f("fk_operation_events_operation_operations")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_operation_events")),
    )
    op.create_index("ix_operation_events_operation_number", "operation_events", ["operation", "number"], unique=False)
