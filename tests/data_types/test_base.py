"""What all values have in common: the class by its `_type`, equality, and keys as names of files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest

import wandb
from wandb.data_types import Histogram, Media, WBValue
from wandb.data_types._base import safe_key
from wandb.data_types._content import Content


def test_an_object_is_read_back_by_the_class_that_its_type_names() -> None:
    value = WBValue.init_from_json({"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}, None)
    assert isinstance(value, Histogram)
    assert value.histogram == [1, 2]
    assert WBValue.init_from_json({"_type": "something-else"}, None) is None


def test_a_class_of_the_users_is_found_by_its_type() -> None:
    class Point(WBValue):
        _log_type = "test-point"

        @classmethod
        def from_json(cls, json_obj: Dict[str, Any], source_artifact: Any) -> Point:
            return cls()

    assert isinstance(WBValue.init_from_json({"_type": "test-point"}, None), Point)


def test_a_value_goes_nowhere_but_into_a_run_or_an_artifact() -> None:
    with pytest.raises(TypeError, match=r"a wandb\.Run or a wandb\.Artifact, not into a dict"):
        Media().to_json({})


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "a/b"),
        ("/etc/passwd", "etc/passwd"),
        ("../../x", "__/__/x"),
        ("a/./b", "a/_/b"),
        (3, "3"),
        ("a\0b", "a_b"),
    ],
)
def test_a_key_is_a_path_within_the_runs_files(key: Any, path: str) -> None:
    assert safe_key(key) == path


def test_a_key_that_is_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(wandb.errors.DataError, match="too long"):
        safe_key("k" * 300)


def test_contents_beyond_the_bound_wait_in_files_that_go_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wandb.data_types._content.MEMORY_BYTES_MAX", 0)
    content = Content.of_bytes(b"x" * 100, ".bin")
    path = content.path
    assert path is not None
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"x" * 100)
    assert content.read() == b"x" * 100
    del content
    assert not path.exists()


def test_what_is_copied_is_what_the_hash_is_of(tmp_path: Path) -> None:
    """The file of a user's may change between a look at it and its copy."""
    source, copy = tmp_path / "source.txt", tmp_path / "copy.txt"
    source.write_bytes(b"before")
    content = Content.of_file(source)
    before = content.sha256
    source.write_bytes(b"after")
    with copy.open("wb") as file:
        content.copy_to(file)
    assert content.sha256 == Content.of_file(copy).sha256 != before
    assert content.size == 5


class Layer:
    """A layer, as those of Keras are to this client: it knows them by what they have. `seen`: what it gets from whom,
    as Keras 3 says it and as Keras 2 does."""

    def __init__(self, name: str, seen: Any = ()) -> None:
        self.name, self._inbound_nodes = name, seen
        self.output_shape = (None, 3)

    def count_params(self) -> int:
        return 7


@pytest.mark.parametrize("release", [2, 3])
def test_a_keras_model_is_a_graph_of_its_layers(release: int) -> None:
    first = Layer("first")
    if release == 3:
        node = SimpleNamespace(parent_nodes=[SimpleNamespace(operation=first)])
    else:
        node = SimpleNamespace(inbound_layers=first)
    graph = wandb.Graph.from_keras(SimpleNamespace(layers=[first, Layer("second", [node])]))
    assert [edge.to_json() for edge in graph.edges] == [["first", "second"]]
    assert graph["second"].to_json()["num_parameters"] == 7
