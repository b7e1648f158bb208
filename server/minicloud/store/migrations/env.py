"""Alembic's entry: runs migrations on the connection that ``Schema`` hands it, inside its transaction."""

from __future__ import annotations

from alembic import context

from minicloud.store.tables import metadata


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


run()
