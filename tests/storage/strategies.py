"""Hypothesis strategies over all records that a log can hold, and over the rows that `log` takes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Dict, Type

from hypothesis import strategies as st

from wandb_storage import FromLane, Record, Row, Scalar, Shape
from wandb_storage._encode import encode
from wandb_storage._records import RECORD_TYPES, WIRE

# Lone surrogates too: a file name that is no valid UTF-8 reaches Python as such.
texts = st.text(st.characters(exclude_categories=()), max_size=40)
longs = st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(width=64)

_SCALARS: Dict[str, st.SearchStrategy[Any]] = {
    "B": st.integers(0, 255),
    "?": st.booleans(),
    "i": st.integers(-(2**31), 2**31 - 1),
    "I": st.integers(0, 2**32 - 1),
    "q": longs,
    "Q": st.integers(0, 2**64 - 1),
    "d": doubles,
    "text": texts,
    "texts": st.lists(texts, max_size=5),
    "bytes": st.binary(max_size=40),
    "[B]": st.lists(st.integers(0, 255), max_size=5),
    "[d]": st.lists(doubles, max_size=5),
    "[q]": st.lists(longs, max_size=5),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | doubles | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
scalar_values = st.none() | st.booleans() | longs | doubles
rows = st.dictionaries(texts, scalar_values, max_size=8) | st.dictionaries(texts, json_values, max_size=4)


def fields_of(record_type: Type[Record]) -> st.SearchStrategy[Record]:
    """Any record of one type, its optional fields absent at times."""
    values = {}
    for field in dataclasses.fields(record_type):
        if field.metadata:
            value = _SCALARS[field.metadata[WIRE]]
            values[field.name] = st.none() | value if field.default is None else value
    return st.builds(record_type, **values)


records: st.SearchStrategy[Record] = st.one_of([fields_of(record_type) for record_type in RECORD_TYPES.values()])


def _as_a_program_would(record_type: Type[Record]) -> st.SearchStrategy[Record]:
    values: Dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(record_type):
        if not field.metadata:
            continue
        values[field.name] = _SCALARS[field.metadata[WIRE]]
        if field.name in ("json", "settings", "environment"):
            values[field.name] = st.dictionaries(texts, json_values, max_size=3).map(json.dumps)
        elif field.default is None:
            values[field.name] = st.none() | values[field.name]
        elif field.name in ("time", "runtime"):
            values[field.name] = st.floats(0, 2e9)
        elif field.name in ("step", "first_step"):
            values[field.name] = st.integers(0, 20)
    return st.builds(record_type, **values)


# Records as a program's calls make them: JSON is an object, times are times, steps grow. Rows are built apart.
_own_records: st.SearchStrategy[Record] = st.one_of(
    [_as_a_program_would(one) for one in RECORD_TYPES.values() if one not in (Row, Shape, FromLane)]
    + [
        st.builds(
            Row,
            step=st.integers(0, 20),
            time=st.floats(0, 2e9),
            flags=st.integers(0, 3),
            values=st.dictionaries(texts, json_values, max_size=3),
        )
    ]
)


def _from_lane(lane: int, record: Record) -> FromLane:
    if isinstance(record, Row):
        record = dataclasses.replace(record, json=json.dumps(record.values))
    return FromLane(lane=lane, record_kind=record.kind, payload=encode(record), record=record)


program_records = _own_records | st.builds(_from_lane, st.integers(1, 3), _own_records)

shapes = st.lists(st.tuples(texts, st.sampled_from(Scalar)), unique_by=lambda pair: pair[0], max_size=6).map(
    lambda pairs: Shape(keys=[key for key, _ in pairs], scalars=[int(scalar) for _, scalar in pairs])
)
