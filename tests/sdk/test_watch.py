"""Watching a PyTorch model: what is logged, how often, and that it ends."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List

import pytest
from libraries import import_library
from logged import values_of
from own_server import eventually

import wandb
from wandb._device_histogram import count_on_device
from wandb.sdk._watch import BINS, tensor_histograms

torch = import_library("torch")


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def model() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


def train(run: wandb.Run, net: Any, steps: int) -> List[Dict[str, Any]]:
    for step in range(steps):
        net.zero_grad()
        loss = net(torch.ones(2, 4)).sum()
        loss.backward()
        run.log({"loss": loss, "step": step})
    return values_of(run)


def test_gradients_come_with_the_row_of_every_so_many_steps(run: wandb.Run) -> None:
    net = model()
    run.watch(net, log_freq=2)
    rows = train(run, net, 4)
    names = {f"gradients/{name}" for name, _ in net.named_parameters()}
    assert [names <= set(row) for row in rows] == [False, True, False, True]
    gradient = rows[1]["gradients/0.weight"]
    assert (gradient["_type"], sum(gradient["values"])) == ("histogram", 32)
    assert len(gradient["bins"]) == len(gradient["values"]) + 1
    assert isinstance(rows[0]["loss"], float)


def test_parameters_are_those_before_the_step_and_none_while_evaluating(run: wandb.Run) -> None:
    net = model()
    wandb.watch(net, log="all", log_freq=1)
    (row,) = train(run, net, 1)
    low, high = row["parameters/0.weight"]["bins"][0], row["parameters/0.weight"]["bins"][-1]
    assert low == pytest.approx(float(net[0].weight.detach().min()))
    assert high == pytest.approx(float(net[0].weight.detach().max()))
    net.eval()
    net(torch.ones(2, 4))
    run.log({"evaluated": True})
    assert set(values_of(run)[-1]) == {"_step", "evaluated"}


def test_equal_values_are_one_bin(run: wandb.Run) -> None:
    net = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(net.weight, 0.5)
    run.watch(net, log="parameters", log_freq=1)
    net(torch.ones(2, 3)).sum().backward()
    run.log({"loss": 0.5})
    (row,) = values_of(run)
    assert row["parameters/weight"] == {"_type": "histogram", "values": [6], "bins": [0.5, 0.5]}


def test_histograms_that_no_log_call_takes_have_rows_of_their_own_beside_tensorboard() -> None:
    """As Stable-Baselines3 trains: metrics come by events files alone."""
    from tensorboardX import SummaryWriter

    def is_complete(step: int) -> bool:
        writer.flush()  # again and again: its events are in a queue before they are in its file
        return run.step > step

    net = model()
    with wandb.init(mode="offline", sync_tensorboard=True) as run, SummaryWriter("logs") as writer:
        run.watch(net, log_freq=1)
        for step in range(2):
            net(torch.ones(2, 4)).sum().backward()
            writer.add_scalar("loss", 1.0, step)
            writer.add_scalar("loss", 1.0, step + 100)  # by which the step before is complete
            eventually(partial(is_complete, step))
    rows = values_of(run)
    assert sum("gradients/0.weight" in row for row in rows) == 2
    assert not any("loss" in row and "gradients/0.weight" in row for row in rows)


def test_unwatch_and_finish_take_the_hooks_away(run: wandb.Run) -> None:
    net, other = model(), model()
    run.watch([net, other], log="all", log_freq=1)
    assert any(key.startswith("gradients/graph_1") for key in train(run, other, 1)[0])
    with pytest.raises(wandb.UsageError, match="watched already"):
        run.watch(net)
    run.unwatch(other)
    assert set(train(run, other, 1)[-1]) == {"_step", "loss", "step"}
    run.finish()
    net(torch.ones(2, 4)).sum().backward()
    assert not net._forward_hooks


def test_a_gradient_that_is_not_finite_ends_no_training(run: wandb.Run) -> None:
    net = model()
    run.watch(net, log_freq=1)
    (net(torch.ones(2, 4)) * float("nan")).sum().backward()
    run.log({"loss": 1})
    assert "gradients/2.weight" not in values_of(run)[0]
    assert values_of(run)[0]["loss"] == 1


def tensors_of_every_kind() -> Dict[str, Any]:
    many = torch.arange(256.0)
    return {
        "plain": many,
        "brain": many[:128].to(torch.bfloat16),
        "gaps": torch.cat([many, torch.tensor([float("nan"), float("inf"), -float("inf")])]),
        "equal": torch.full((40,), 0.5),
        "one": torch.ones(1),
        "none": torch.full((40,), float("nan")),
        "empty": torch.ones(0),
        "wide": many.reshape(16, 16),
    }


def test_tensors_on_a_device_are_counted_together_as_each_would_be_in_memory() -> None:
    tensors = tensors_of_every_kind()
    counted = count_on_device([tensor.reshape(-1) for tensor in tensors.values()], BINS)
    together = {key: one.as_histogram() for key, one in zip(tensors, counted) if one is not None}
    assert together == tensor_histograms(tensors)
    assert set(tensors) - set(together) == {"none", "empty"}


def test_tensors_of_one_length_are_counted_as_each_would_be_alone() -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(length) * 10.0**power for power in range(-20, 20) for length in (50, 4096, 64, 64, 50)]
    for tensor, counted in zip(tensors, count_on_device(tensors, BINS)):
        low, high = float(tensor.min()), float(tensor.max())
        assert counted == (low, high, tensor.histc(BINS, low, high).int().tolist())


def test_where_a_device_can_not_count_training_goes_on(run: wandb.Run) -> None:
    """PyTorch's `meta` stands for a device that can do nothing: its tensors have no values."""
    net = torch.nn.Linear(4, 2, device="meta")
    run.watch(net, log="all", log_freq=1)
    net(torch.ones(2, 4, device="meta")).sum().backward()
    run.log({"loss": 1})
    assert values_of(run)[-1]["loss"] == 1


def test_what_is_no_module_is_refused(run: wandb.Run) -> None:
    with pytest.raises(wandb.UsageError, match="int is no PyTorch module"):
        run.watch(3)
    with pytest.raises(wandb.UsageError, match="gradients, parameters"):
        run.watch(model(), log="weights")
    with pytest.raises(wandb.UsageError, match="log_freq"):
        run.watch(model(), log_freq=0)


def test_tensors_of_every_kind_are_values(run: wandb.Run) -> None:
    run.log(
        {
            "scalar": torch.tensor(1.5, requires_grad=True),
            "brain": torch.tensor([0.5], dtype=torch.bfloat16),
            "few": torch.arange(4),
            "many": torch.randn(1000, requires_grad=True),
            "many_brain": torch.ones(100, dtype=torch.bfloat16),
            "many_small": torch.ones(100).to(torch.float8_e4m3fn),
            "flag": torch.tensor(True),
        }
    )
    (row,) = values_of(run)
    assert (row["scalar"], row["brain"], row["few"], row["flag"]) == (1.5, 0.5, [0, 1, 2, 3], True)
    assert [sum(row[key]["values"]) for key in ("many", "many_brain", "many_small")] == [1000, 100, 100]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32])
def test_tensors_of_every_kind_are_media(run: wandb.Run, kind: Any) -> None:
    table = wandb.Table(["one", "many"], [[torch.ones(1, dtype=kind)[0], torch.ones(2, dtype=kind)]])
    run.log(
        {
            "picture": wandb.Image(torch.rand(3, 32, 16).to(kind).requires_grad_()),
            "mask": wandb.Image(torch.rand(8, 8), masks={"all": {"mask_data": torch.ones(8, 8, dtype=kind)}}),
            "sound": wandb.Audio(torch.zeros(100, dtype=kind), sample_rate=8000),
            "points": wandb.Object3D(torch.ones(5, 3, dtype=kind)),
            "film": wandb.Video(torch.zeros(2, 3, 16, 16, dtype=kind), format="gif"),
            "table": table,
        }
    )
    (row,) = values_of(run)
    assert (row["picture"]["width"], row["picture"]["height"]) == (16, 32)
    assert table.data[0][0] == 1.0
    assert table.data[0][1].tolist() == [1.0, 1.0]
