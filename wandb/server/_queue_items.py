"""Items of launch queues: pushed by somebody, leased to the agent that pops them, handed out again when it dies.

==========  ============================================================================================
PENDING     waits for an agent
LEASED      an agent has it, and prepares it
CLAIMED     it runs: an agent has said as which run
FINISHED    it ended well
FAILED      it did not, or was handed out too often
==========  ============================================================================================

A lease lasts until an agent was silent for so long; an agent that says now and then which items it has keeps them. What
it had is handed out again when its lease has run out, unless the item's run lives on by itself or has ended: then that
counts. An item that was acknowledged by an agent which gives no signs of life (the official ones) has no lease: it is
the run's from then on.

Whoever changes an item has locked its row before, so agents wait for nobody's but their own: the next one in the line
passes over a row that another is just taking.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from ._limits import (
    QUEUE_COUNT_MAX,
    QUEUE_EVENTS_MAX,
    QUEUE_HANDED_MAX,
    QUEUE_LEASE_SECONDS,
    QUEUE_MESSAGE_CHARACTERS_MAX,
)
from ._names import RunKey
from ._store import Run, find_run
from ._tables import metadata
from ._values import parse_object

PENDING, LEASED, CLAIMED, FINISHED, FAILED = "PENDING", "LEASED", "CLAIMED", "FINISHED", "FAILED"
OVER = frozenset({FINISHED, FAILED})
_PRIORITY_DEFAULT = 2
_ALIVE = frozenset({"running", "preempting"})

items = Table(
    "run_queue_items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("queue_id", ForeignKey("run_queues.id"), nullable=False),
    Column("spec", Text, nullable=False),
    # Lower comes first.
    Column("priority", Integer, nullable=False),
    Column("state", String, nullable=False),
    # So many are asked for.
    Column("gpus", Integer, nullable=False),
    # The launch agent that has it, or had it last.
    Column("agent_id", Integer),
    Column("leased_until", Float),
    # How often it was handed out, and how often it then failed by itself.
    Column("handed", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("run", String),
    Column("exit_code", Integer),
    Column("message", Text),
    Column("stage", String),
    Column("created_at", Float, nullable=False),
    # What happened to it, the oldest first, as a JSON list.
    Column("events", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("run_queue_items_in_line", items.c.queue_id, items.c.state, items.c.priority, items.c.id)


@dataclass(frozen=True)
class Item:
    """A row of ``run_queue_items``."""

    id: int
    queue_id: int
    spec: str
    priority: int
    state: str
    gpus: int
    agent_id: int | None
    leased_until: float | None
    handed: int
    failures: int
    run: str | None
    exit_code: int | None
    message: str | None
    stage: str | None
    created_at: float
    events: str

    def run_key(self) -> RunKey | None:
        """The run that it became, by its names; None before that."""
        spec = parse_object(self.spec) or {}
        entity, project = spec.get("entity"), spec.get("project")
        if not self.run or not isinstance(entity, str) or not isinstance(project, str):
            return None
        return RunKey(self.run, project, entity)

    @property
    def retries(self) -> int:
        """How often it may fail and be tried again."""
        return _count(self.spec, "retries")


def _count(spec: str, name: str) -> int:
    """A number in a specification; 0 for none."""
    value = (parse_object(spec) or {}).get(name)
    return value if isinstance(value, int) and 0 <= value <= QUEUE_COUNT_MAX else 0


def push(connection: Connection, queue_id: int, spec: str, priority: int | None, now: float) -> Item:
    chosen = _PRIORITY_DEFAULT if priority is None else priority
    gpus = _count(spec, "gpus")
    row = {"queue_id": queue_id, "spec": spec, "priority": chosen, "state": PENDING, "gpus": gpus}
    more = {"handed": 0, "failures": 0, "created_at": now, "events": _event("[]", now, "pushed")}
    made = connection.execute(insert(items).values(**row, **more))
    assert made.inserted_primary_key is not None
    item = item_by_id(connection, made.inserted_primary_key[0])
    assert item is not None
    return item


def pop(
    connection: Connection, queue_id: int, agent_id: int | None, gpus_max: int | None, now: float, since: float
) -> Item | None:
    """Lease the next item to whoever asks.

    ``gpus_max``: for how many of them there is a place; None where that is not the agent's matter. ``since``: when this
    server began to listen. An agent that could not be heard before had no chance to keep a lease.
    """
    waits = items.c.state == PENDING
    forgotten = items.c.state.in_((LEASED, CLAIMED)) & (items.c.leased_until < now)
    if now < since + QUEUE_LEASE_SECONDS:
        forgotten &= items.c.leased_until >= since + QUEUE_LEASE_SECONDS
    wanted = (items.c.queue_id == queue_id) & (waits | forgotten)
    if gpus_max is not None:
        wanted &= items.c.gpus <= gpus_max
    while True:
        item = _locked(connection, wanted, skip=True)
        if item is None:
            return None
        if item.state == PENDING or _is_to_be_handed_again(connection, item, now):
            return _hand_out(connection, item, agent_id, now)


def _is_to_be_handed_again(connection: Connection, item: Item, now: float) -> bool:
    """Whether an item is lost with its agent; otherwise what has become of it is written down."""
    run = _run_of(connection, item)
    state = run.state_at(now) if run is not None else ""
    if item.state == CLAIMED and state in _ALIVE:
        _change(connection, item, now, "its agent is silent, its run lives", leased_until=now + QUEUE_LEASE_SECONDS)
        return False
    if run is not None and item.state == CLAIMED and state in ("finished", "failed"):
        end(connection, item, run.exit_code if run.exit_code is not None else int(state == "failed"), None, now)
        return False
    if item.handed >= QUEUE_HANDED_MAX:
        message = f"it was handed to {item.handed} agents, and none of them brought it to an end"
        _change(connection, item, now, "failed", state=FAILED, leased_until=None, message=message)
        return False
    return True


def _hand_out(connection: Connection, item: Item, agent_id: int | None, now: float) -> Item:
    return _change(
        connection, item, now, "popped" if item.state == PENDING else "popped again: its agent is silent",
        state=LEASED, agent_id=agent_id, leased_until=now + QUEUE_LEASE_SECONDS, handed=item.handed + 1,
        exit_code=None, message=None, stage=None,
    )  # fmt: skip


def run_to_resume(connection: Connection, item: Item) -> str | None:
    """The run that an item goes on with: one that was preempted."""
    run = _run_of(connection, item)
    return run.name if run is not None and _was_preempted(run) else None


def acknowledge(connection: Connection, item: Item, run: str, agent_id: int | None, now: float) -> bool:
    """Note as which run an item begins. Whether the agent may begin it: one that gives signs of life says who it is."""
    item = _again(connection, item)
    if agent_id is not None and not _has(item, agent_id):
        return False
    until = None if agent_id is None else now + QUEUE_LEASE_SECONDS
    _change(connection, item, now, "started", state=CLAIMED, run=run, leased_until=until)
    return True


def keep(connection: Connection, item_ids: Collection[int], agent_id: int, now: float) -> set[int]:
    """Lengthen an agent's leases; returns the items that are not its own any more."""
    query = select(items).where(items.c.id.in_(list(item_ids))).order_by(items.c.id).with_for_update()
    found = [Item(**row._mapping) for row in connection.execute(query)]
    mine = [item.id for item in found if _has(item, agent_id)]
    if mine:
        until = now + QUEUE_LEASE_SECONDS
        connection.execute(update(items).where(items.c.id.in_(mine)).values(leased_until=until))
    return set(item_ids) - set(mine)


def end(connection: Connection, item: Item, exit_code: int, message: str | None, now: float) -> Item:
    """Note how the command of an item has ended, and put it into the queue again where that is to be."""
    item = _again(connection, item)
    values: dict[str, Any] = {"exit_code": exit_code, "leased_until": None, "message": message}
    if exit_code == 0:
        return _change(connection, item, now, "finished", state=FINISHED, **values)
    run = _run_of(connection, item)
    if run is not None and _was_preempted(run) and item.handed < QUEUE_HANDED_MAX:
        return _change(connection, item, now, "preempted", state=PENDING, **values)
    values["failures"] = item.failures + 1
    if item.failures < item.retries:
        return _change(connection, item, now, "failed, is tried again", state=PENDING, **values)
    return _change(connection, item, now, "failed", state=FAILED, stage="run", **values)


def give_back(connection: Connection, item: Item, message: str | None, now: float) -> Item:
    """Put an item into the queue again that its agent could not bring to an end."""
    item = _again(connection, item)
    if item.handed >= QUEUE_HANDED_MAX:
        return fail(connection, item, message, "agent", now)
    values = {"state": PENDING, "leased_until": None, "message": message}
    return _change(connection, item, now, "given back", **values)


def fail(connection: Connection, item: Item, message: str | None, stage: str | None, now: float) -> Item:
    item = _again(connection, item)
    values = {"state": FAILED, "leased_until": None, "message": message, "stage": stage}
    return _change(connection, item, now, "failed", **values)


def warn(connection: Connection, item: Item, message: str | None, stage: str | None, now: float) -> None:
    _change(connection, _again(connection, item), now, "warned", message=message, stage=stage)


def belongs_to(connection: Connection, item: Item, agent_id: int) -> bool:
    return _has(_again(connection, item), agent_id)


def item_by_id(connection: Connection, item_id: int) -> Item | None:
    row = connection.execute(select(items).where(items.c.id == item_id)).first()
    return Item(**row._mapping) if row is not None else None


def list_items(connection: Connection, queue_id: int) -> list[Item]:
    query = select(items).where(items.c.queue_id == queue_id).order_by(items.c.priority, items.c.id)
    return [Item(**row._mapping) for row in connection.execute(query)]


def delete_item(connection: Connection, item: Item) -> None:
    connection.execute(delete(items).where(items.c.id == item.id))


def delete_items(connection: Connection, queue_id: int) -> None:
    """Of a whole queue."""
    connection.execute(delete(items).where(items.c.queue_id == queue_id))


def _has(item: Item, agent_id: int) -> bool:
    return item.agent_id == agent_id and item.state in (LEASED, CLAIMED)


def _run_of(connection: Connection, item: Item) -> Run | None:
    key = item.run_key()
    return None if key is None else find_run(connection, key)


def _was_preempted(run: Run) -> bool:
    """Whether a run has warned of it that isn't under way any more; that it has ended may still be on its way."""
    return run.preempting or run.state == "preempted"


def _locked(connection: Connection, condition: ColumnElement[bool], skip: bool = False) -> Item | None:
    """The first item in the line, kept from others until the transaction ends."""
    query = select(items).where(condition).order_by(items.c.priority, items.c.id).limit(1)
    row = connection.execute(query.with_for_update(skip_locked=skip)).first()
    return Item(**row._mapping) if row is not None else None


def _again(connection: Connection, item: Item) -> Item:
    """An item as it is now that nobody else changes it."""
    return _locked(connection, items.c.id == item.id) or item


def _change(connection: Connection, item: Item, now: float, event: str, **values: Any) -> Item:
    if isinstance(values.get("message"), str):
        values["message"] = values["message"][:QUEUE_MESSAGE_CHARACTERS_MAX]
    told = {"run": values.get("run"), "exit_code": values.get("exit_code"), "message": values.get("message")}
    values["events"] = _event(item.events, now, event, agent=values.get("agent_id"), **told)
    connection.execute(update(items).where(items.c.id == item.id).values(**values))
    changed = item_by_id(connection, item.id)
    return changed if changed is not None else item


def _event(events: str, now: float, what: str, **more: Any) -> str:
    known: Sequence[Any] = json.loads(events)
    told = {name: value for name, value in more.items() if value is not None}
    return json.dumps([*known[-QUEUE_EVENTS_MAX + 1 :], {"at": now, "what": what, **told}])
