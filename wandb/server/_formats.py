"""Formats of the database: a new one is made as the tables are, an older one is brought to the present format.

The number of the format stands where alembic keeps it, in a table of one row. Everything happens in one transaction: a
server that is killed in the midst of it leaves the database as it was.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect

from ._tables import metadata

FORMAT = "10"

_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False))


class DatabaseVersionError(RuntimeError):
    """The database was made by a newer release."""


def bring_up_to_date(connection: Connection, name: str) -> None:
    """Make the tables of an empty database, or change those of an older one."""
    tables = set(inspect(connection).get_table_names())
    if _version.name in tables:
        found = str(connection.execute(_version.select()).scalar_one())
        if found == FORMAT:
            return
        if not found.isdecimal() or int(found) > int(FORMAT):
            raise DatabaseVersionError(
                f"{name} has format {found}, this release reads up to {FORMAT}; "
                "upgrade wandb or choose another --data directory or --database"
            )
    elif not tables:
        metadata.create_all(connection)
        _version.create(connection)
        connection.execute(_version.insert().values(version_num=FORMAT))
        return
    _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    # Loaded for this alone: it takes as long as the rest of the start.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, FORMAT)
