"""Every document of GraphQL that the Api sends is one that `wandb server` understands."""

from __future__ import annotations

import importlib.resources
import pkgutil
import re
from typing import Dict

import pytest
from graphql import build_schema, parse, specified_rules, validate
from graphql.validation import VariablesInAllowedPositionRule

import wandb.apis
from wandb import server

# Of W&B's service, and of nobody's own server.
_OF_THE_SERVICE = {"CreateCustomChart", "EnqueueSweepRun"}
# Servers differ in whether ids are texts.
_RULES = [rule for rule in specified_rules if rule is not VariablesInAllowedPositionRule]

_SCHEMA = build_schema((importlib.resources.files(server) / "schema.graphql").read_text(encoding="utf-8"))
_OPERATION = re.compile(r"^\s*(?:query|mutation)\s+(\w+)")


def documents() -> Dict[str, str]:
    """Where each stands -> the document."""
    found: Dict[str, str] = {}
    for module in pkgutil.walk_packages(wandb.apis.__path__, "wandb.apis."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, str) and _OPERATION.match(value):
                for part in ("FIELDS", "STREAM"):
                    value = value.replace(part, {"FIELDS": "id name", "STREAM": "history"}[part])
                found[f"{module.name}.{name}"] = value
    return found


@pytest.mark.parametrize("place", sorted(documents()))
def test_the_server_understands(place: str) -> None:
    document = documents()[place]
    operation = _OPERATION.match(document)
    assert operation is not None
    if operation[1] in _OF_THE_SERVICE:
        parse(document)
        return
    assert validate(_SCHEMA, parse(document), _RULES) == []


def test_there_are_documents() -> None:
    assert len(documents()) > 30
