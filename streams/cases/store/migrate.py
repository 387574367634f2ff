"""Creates or migrates the people database, each time the store is opened, in one transaction.

A new database gets its tables from `people_tables` and the newest revision, as alembic's cookbook
recommends. The steps in `migrations/` are only for databases of an older version.
"""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from streams.cases.store.engine import SCHEMAS, alone
from streams.cases.store.people_tables import PEOPLE
from streams.common import ConfigError, tr


def head() -> str:
    """Return the newest revision that this program knows."""
    found = _scripts().get_current_head()
    assert found is not None
    return found


def upgrade(people: Engine) -> None:
    """Create the people database, or migrate it. A lock makes a second process wait.

    Raise ConfigError if a newer program has migrated it.
    """
    with people.connect() as connection:
        if current(connection) == head():
            return
    with people.execution_options(otpguard_writes=True).begin() as connection:
        alone(connection)
        if connection.dialect.name == "postgresql":
            for schema in SCHEMAS.values():
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        found, scripts = current(connection), _scripts()
        if found is None:
            PEOPLE.create_all(connection)
            MigrationContext.configure(connection).stamp(scripts, "head")
            return
        if found not in {each.revision for each in scripts.walk_revisions()}:
            raise ConfigError(
                tr("the case store is of a newer version ({found}): run that").format(found=found)
            )
        with EnvironmentContext(
            Config(),
            scripts,
            fn=lambda rev, _: scripts._upgrade_revs("head", rev),  # noqa: SLF001 - alembic's own cookbook
        ) as environment:
            environment.configure(connection=connection, target_metadata=PEOPLE)
            environment.run_migrations()


def current(connection: Connection) -> str | None:
    """Return the revision of the tables in the database, or None if there are no tables."""
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent / "migrations"))
