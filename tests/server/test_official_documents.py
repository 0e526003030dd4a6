"""Every document of GraphQL in the official client means something here, but for what this server hasn't."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse, validate
from live_server import LiveServer
from peer import VERSIONS, peer_python

from wandb.server._graphql import RULES

# Reports and automations are kept by no part of this project, and neither are registries: they belong to organizations,
# which are above teams. Accounts without a name would be for everybody who finds the server.
_OTHER_PRODUCTS = ("vendor", "automations", "reports", "registries")
_ABSENT = re.compile(r"[Rr]egistr(y|ies)|Organi[sz]ation|\bOrg|OrgEntity|OrgInfo|CreateAnonymousApiKey")
# Clients put fields in place of these before they send a document, and add the fragments.
_COMPLETED_LATER = re.compile(r"'_[A-Za-z_]+_'|Unknown fragment")
_IN_BINARY = re.compile(rb"\n(?:query|mutation) \w+")
_BINARY_DOCUMENT_BYTES = 6000


def of_modules(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.py")):
        if any(part in _OTHER_PRODUCTS for part in path.relative_to(package).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.strip()


def of_binary(path: Path) -> Iterator[str]:
    """Documents that end somewhere behind their beginning: the longest text that can be read as one."""
    content = path.read_bytes()
    for found in _IN_BINARY.finditer(content):
        text = content[found.start() : found.start() + _BINARY_DOCUMENT_BYTES].decode("utf-8", "replace").strip()
        ends = [match.end() for match in re.finditer(r"\n\}", text)]
        yield next((text[:end] for end in reversed(ends) if read(text[:end]) is not None), "")


def read(text: str) -> DocumentNode | None:
    try:
        return parse(text) if text.startswith(("query", "mutation")) else None
    except GraphQLError:  # a template
        return None


def name_of(document: DocumentNode) -> str:
    names = [
        node.name.value for node in document.definitions if isinstance(node, OperationDefinitionNode) and node.name
    ]
    return names[0] if names else ""


@pytest.mark.peer
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_of_the_official_client_is_understood(server: LiveServer, version: str) -> None:
    where = "import importlib.util; print(importlib.util.find_spec('wandb').origin)"
    found = subprocess.run(
        [str(peer_python(version)), "-I", "-c", where], check=True, capture_output=True, text=True
    ).stdout
    package = Path(found.strip()).parent
    texts = list(of_modules(package))
    for binary in package.glob("bin/wandb-core*"):
        texts += of_binary(binary)
    documents = [document for document in map(read, texts) if document is not None]
    assert len(documents) > 80
    problems = {
        name_of(document): [error.message for error in errors]
        for document in documents
        if (errors := validate(server.app.state.executor.schema, document, RULES))
        and not all(_COMPLETED_LATER.search(error.message) for error in errors)
    }
    assert {name: why for name, why in problems.items() if not _ABSENT.search(name)} == {}
