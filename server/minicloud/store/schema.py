"""The schema's version: upgraded by packaged migrations, never guessed at."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from minicloud_core.model.errors import UnavailableError
from sqlalchemy import Connection, Engine, text

# Serialises the upgrades of several replicas that start at once on PostgreSQL.
UPGRADE_LOCK = 0x6D63_0001


class Schema:
    """The version of one database's schema beside this program's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config = Config()
        self._config.set_main_option("script_location", "minicloud.store:migrations")
        self._config.set_main_option("path_separator", "os")

    @property
    def head(self) -> str:
        """The revision that this program was written for."""
        head = ScriptDirectory.from_config(self._config).get_current_head()
        assert head is not None
        return head

    def current(self) -> str | None:
        """The database's revision; None on an empty database."""
        with self._engine.connect() as connection:
            return _revision(connection)

    def upgrade(self) -> None:
        """Run the migrations that are missing, all or none.

        :raises UnavailableError: when the database is newer than the program.
        """
        with self._engine.execution_options(minicloud_write=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            self._refuse_newer(_revision(connection))
            self._config.attributes["connection"] = connection
            command.upgrade(self._config, "head")

    def check(self) -> None:
        """:raises UnavailableError: when the database's schema is not this program's."""
        current = self.current()
        self._refuse_newer(current)
        if current != self.head:
            raise UnavailableError(
                f"The database's schema is at {current or 'nothing'}; this minicloud needs {self.head}",
                hint="run `minicloud init`, or start `minicloud serve`, which upgrade it",
            )

    def _refuse_newer(self, current: str | None) -> None:
        known = {script.revision for script in ScriptDirectory.from_config(self._config).walk_revisions()}
        if current is not None and current not in known:
            raise UnavailableError(
                f"The database's schema is at {current}, which this minicloud (up to {self.head}) does not know:"
                " a newer minicloud wrote it",
                hint="start the newer minicloud, or restore the backup from before its upgrade",
            )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
