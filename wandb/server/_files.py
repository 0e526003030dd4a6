"""Run files: their rows, and the places of their bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select

from ._database import upsert
from ._tables import files


@dataclass(frozen=True)
class StoredFile:
    """A row of ``files``."""

    run_id: int
    name: str
    size: int
    md5: str
    updated_at: float


def file_path(run_id: int, name: str) -> str:
    """The path of a file's signed URLs."""
    return f"/storage/{run_id}/{name}"


def file_place(run_id: int, name: str) -> str:
    return f"{run_id}/{hashlib.sha256(name.encode()).hexdigest()}"


def record_file(connection: Connection, stored: StoredFile) -> None:
    upsert(connection, files, [dict(vars(stored))], ("run_id", "name"))


def find_file(connection: Connection, run_id: int, name: str) -> StoredFile | None:
    row = connection.execute(select(files).where(files.c.run_id == run_id, files.c.name == name)).first()
    return StoredFile(**row._mapping) if row is not None else None


def delete_file(connection: Connection, run_id: int, name: str) -> None:
    connection.execute(delete(files).where(files.c.run_id == run_id, files.c.name == name))


def count_files(connection: Connection, run_id: int) -> int:
    return connection.execute(select(func.count()).where(files.c.run_id == run_id)).scalar_one()


def list_files(
    connection: Connection, run_id: int, names: list[str] | None = None, pattern: str | None = None
) -> list[StoredFile]:
    """The files of a run by name, narrowed to names or to an SQL LIKE pattern."""
    query: Any = select(files).where(files.c.run_id == run_id).order_by(files.c.name)
    if names:
        query = query.where(files.c.name.in_(names))
    if pattern:
        query = query.where(files.c.name.like(pattern))
    return [StoredFile(**row._mapping) for row in connection.execute(query)]
