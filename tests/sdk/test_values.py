"""What becomes data, and how large it may be."""

from __future__ import annotations

import collections
import decimal
import math
from typing import Any, Dict

import numpy as np
import pytest
from logged import values_of

import wandb
from wandb.sdk._values import ELEMENTS_MAX, storable


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def test_arrays_are_scalars_lists_or_histograms_by_their_size(run: wandb.Run) -> None:
    run.log({"one": np.array([[3.5]]), "few": np.arange(32), "many": np.arange(33.0), "square": np.eye(2)})
    (row,) = values_of(run)
    assert (row["one"], row["few"], row["square"]) == (3.5, list(range(32)), [[1.0, 0.0], [0.0, 1.0]])
    assert row["many"]["_type"] == "histogram"
    assert (sum(row["many"]["values"]), len(row["many"]["values"]), len(row["many"]["bins"])) == (33, 32, 33)
    assert (row["many"]["bins"][0], row["many"]["bins"][-1]) == (0.0, 32.0)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_every_kind_of_number_has_a_histogram(kind: str) -> None:
    found = storable(np.arange(100).astype(kind), "x")
    assert sum(found["values"]) == 100


def test_floats_that_numpy_has_from_another_library_are_numbers_too() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    assert storable(np.array([0.5], bfloat16), "x") == storable(bfloat16(0.5), "x") == 0.5
    assert storable(np.arange(4).astype(bfloat16), "x") == [0.0, 1.0, 2.0, 3.0]
    assert sum(storable(np.ones(200_000, bfloat16), "x")["values"]) == 200_000


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ([math.nan, math.inf, -math.inf, 1.0] * 10, 10),
        ([math.nan] * 40, 0),
        ([1e308, -1e308] * 20, 40),
        ([7.0] * 40, 40),
        ([5e-324, 0.0] * 20, 40),
    ],
)
def test_a_histogram_counts_what_is_finite(values: Any, counted: int) -> None:
    found = storable(np.array(values), "x")
    assert sum(found["values"]) == counted
    assert all(math.isfinite(edge) for edge in found["bins"])


@pytest.mark.parametrize("widest", [3e38, 1e-37, 1e-44])
def test_a_range_at_the_ends_of_32_bits_is_cut_into_bins(widest: float) -> None:
    values = np.array([-widest, 0.0, widest], np.float32).repeat(20)
    found = storable(values, "x")["values"]
    assert (found[0], found[16], found[-1]) == (20, 20, 20)


def test_arrays_of_something_else_are_lists_or_refused(run: wandb.Run) -> None:
    assert storable(np.array(["a", "b"]), "x") == ["a", "b"]
    assert storable(np.array(["2026-11-23"], dtype="datetime64[D]"), "x") == "2026-11-23"
    with pytest.raises(wandb.Error, match=r"x\[0\]: a value of type complex"):
        storable(np.array([1j, 2j]), "x")


def test_in_the_config_an_array_is_a_list_up_to_the_limit() -> None:
    assert storable(np.arange(100), "x", for_config=True) == list(range(100))
    with pytest.raises(wandb.Error, match="x: it brings the value above the limit of 100,000"):
        storable(np.arange(ELEMENTS_MAX + 1), "x", for_config=True)


def test_the_limit_of_elements_is_one_for_the_whole_value(run: wandb.Run) -> None:
    with pytest.raises(wandb.Error, match=r"big\[1\]: .*limit"):
        run.log({"big": [[0] * 60_000, [0] * 60_000]})
    run.log({"big": [[0] * 40_000, [0] * 40_000]})
    assert len(values_of(run)) == 1


def test_more_kinds_of_values_become_data() -> None:
    pair = collections.namedtuple("pair", "a b")
    cases: Dict[str, Any] = {
        "set": ({3, 1, 2}, [1, 2, 3]),
        "mixed": ({1, "a"}, ["a", 1]),
        "deque": (collections.deque([1, 2]), [1, 2]),
        "named": (pair(1, 2), [1, 2]),
        "counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
        "decimal": (decimal.Decimal("0.5"), 0.5),
        "range": (range(3), [0, 1, 2]),
        "bytes": (b"text", "text"),
        "text": (np.str_("a"), "a"),
        "half": (np.float16(0.5), 0.5),
    }
    for name, (value, stored) in cases.items():
        found = storable(value, name)
        assert found == stored, name
        assert type(found) is type(stored), name


class Tensor:
    """As PyTorch's tensors are to this client: it knows them by what they have."""

    def __init__(self, values: Any, fails: bool = False) -> None:
        self._values = np.asarray(values)
        self._fails = fails
        self.is_sparse = False
        self.dtype = "torch.float32"

    def numel(self) -> int:
        return int(self._values.size)

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return self._values

    def tolist(self) -> Any:
        return self._values.tolist()

    def item(self) -> Any:
        if self._fails:
            raise RuntimeError("the device is gone")
        return self._values.item()


def test_what_looks_like_a_tensor_is_one(run: wandb.Run) -> None:
    run.log({"scalar": Tensor(2.5), "few": Tensor([1.0, 2.0]), "many": Tensor(np.arange(100.0))})
    (row,) = values_of(run)
    assert (row["scalar"], row["few"], sum(row["many"]["values"])) == (2.5, [1.0, 2.0], 100)


def test_an_error_of_somebody_elses_object_names_the_key(run: wandb.Run) -> None:
    with pytest.raises(wandb.Error, match="loss: the value can't be read: RuntimeError: the device is gone"):
        run.log({"loss": Tensor(1.0, fails=True)})


def test_a_dictionary_within_the_summary_is_recorded_when_it_changes(run: wandb.Run) -> None:
    from logged import state_of

    run.summary["best"] = {"loss": 1.0}
    run.summary["best"]["epoch"] = 3
    run.summary.best.loss = np.float32(0.5)
    run.summary["gone"] = 1
    del run.summary["gone"]
    assert run.summary.as_dict() == {"best": {"loss": 0.5, "epoch": 3}} == state_of(run).summary
