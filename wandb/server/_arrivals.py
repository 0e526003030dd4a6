"""Noting which files of artifacts have arrived, for all that arrive at the same time together.

A commit forces the disk, which takes longer than all else about a small file. Whoever gets the turn writes down what
the others wait for as well.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from ._artifact_tables import blobs
from ._database import Database, upsert


@dataclass(eq=False)
class _Arrival:
    project_id: int
    key: str
    size: int
    created_at: float
    noted: bool = False


class Arrivals:
    """Safe between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Arrival] = []

    def record(self, project_id: int, key: str, size: int, now: float) -> None:
        """Note that bytes are here: durable when it returns. Raises SQLAlchemyError."""
        mine = _Arrival(project_id, key, size, now)
        with self._lock:
            self._waiting.append(mine)
        with self._turn:
            if mine.noted:
                return
            with self._lock:
                group, self._waiting = [mine, *(one for one in self._waiting if one is not mine)], []
            try:
                self._write(group)
            except SQLAlchemyError:
                if len(group) == 1:
                    raise
                self._write([mine])  # the others try alone when it is their turn: one of them may be at fault

    def _write(self, group: list[_Arrival]) -> None:
        rows = {
            (one.project_id, one.key): {
                "project_id": one.project_id, "key": one.key, "size": one.size, "created_at": one.created_at,
            }
            for one in group
        }  # fmt: skip
        with self._database.write() as connection:
            upsert(connection, blobs, list(rows.values()), ("project_id", "key"))
        for one in group:
            one.noted = True
