"""wandb -> wandb_uploader -> wandb_storage, and no other arrow."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pytest

import wandb_storage

# What each package may import of the three, beside itself.
ALLOWED: Dict[str, Set[str]] = {
    "wandb": {"wandb_uploader", "wandb_storage"},
    "wandb_uploader": {"wandb_storage"},
    "wandb_storage": set(),
}
# Their folders' names: as imports they would be a user's own storage.py.
FOLDERS = {"storage", "uploader"}


def sources(package: str) -> Iterator[Path]:
    found = importlib.util.find_spec(package)
    assert found is not None
    for folder in found.submodule_search_locations or ():
        yield from sorted(Path(folder).rglob("*.py"))


def imports(path: Path) -> Iterator[Tuple[int, str]]:
    """(line, top-level package) of each absolute import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: List[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            names = [str(node.args[0].value)] if isinstance(node.args[0], ast.Constant) else []
        for name in names:
            yield getattr(node, "lineno", 0), name.split(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    """A lower package never imports a higher one, not even inside a function."""
    paths = list(sources(package))
    forbidden = (set(ALLOWED) | FOLDERS) - ALLOWED[package] - {package}
    wrong = [f"{path}:{line} imports {name}" for path in paths for line, name in imports(path) if name in forbidden]
    assert not wrong
    assert paths or package == "wandb_uploader"


def test_what_is_public_is_listed_and_what_is_listed_exists() -> None:
    """Modules are private; the public names of a package are those in its `__all__`."""
    for name in wandb_storage.__all__:
        getattr(wandb_storage, name)  # some are loaded on first use
    public = {
        name for name, value in vars(wandb_storage).items()
        if not name.startswith("_") and type(value).__name__ not in ("module", "_Feature")
    } - {"TYPE_CHECKING", "Any"}  # fmt: skip
    assert public == set(wandb_storage.__all__)
    assert len(wandb_storage.__all__) == len(public)
