"""A real NVIDIA GPU: its sensors, and the tensors and models that live on it. Skipped where there is none."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from libraries import import_library
from logged import records_of, state_of, values_of

import wandb
from wandb.sdk._accelerators import find_accelerators
from wandb.sdk._accelerators._nvidia import NvidiaGpus
from wandb.sdk._machine_metrics import Machine
from wandb.sdk._watch import tensor_histograms
from wandb.superagent._gpus import find_gpus
from wandb_storage import SystemMetrics

if NvidiaGpus.find() is None:
    pytest.skip("this machine has no NVIDIA GPU", allow_module_level=True)
torch = import_library("torch")
if not torch.cuda.is_available():
    pytest.skip("this PyTorch was built without CUDA", allow_module_level=True)


@pytest.fixture
def run() -> Iterator[wandb.Run]:
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        yield run


@pytest.fixture
def busy_gpu() -> Iterator[None]:
    """Multiplies matrices on the card until the test is over."""
    over = threading.Event()
    began = threading.Event()

    def work() -> None:
        matrix = torch.ones(4096, 4096, device="cuda")
        while not over.is_set():
            for _ in range(50):
                matrix @ matrix
            torch.cuda.synchronize()
            began.set()

    worker = threading.Thread(target=work)
    worker.start()
    began.wait()
    yield
    over.set()
    worker.join()


def gpu_values(values: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("gpu.")}


def test_the_sensors_of_a_card_at_work_make_sense(busy_gpu: None) -> None:
    values = gpu_values(Machine(wandb.Settings(), find_accelerators()).sample())
    assert values["gpu.0.memoryAllocatedBytes"] >= 64 << 20
    assert 0 < values["gpu.0.memoryAllocated"] <= 100
    assert 0 <= values["gpu.0.gpu"] <= 100
    assert 0 < values["gpu.0.temp"] < 120
    assert 0 < values["gpu.0.powerWatts"] <= 1.2 * values["gpu.0.enforcedPowerLimitWatts"]
    assert values["gpu.0.smClock"] > 0


def test_a_program_that_uses_a_card_sees_it_among_its_own(busy_gpu: None) -> None:
    values = gpu_values(Machine(wandb.Settings(), find_accelerators()).sample())
    assert values["gpu.process.0.memoryAllocatedBytes"] >= 64 << 20


def test_a_run_tells_of_the_card_and_samples_it(run: wandb.Run) -> None:
    run.finish()
    (sample, *_) = records_of(run, SystemMetrics)
    assert {"gpu.0.gpu", "gpu.0.memoryAllocated", "gpu.0.temp", "gpu.0.powerWatts"} <= set(json.loads(sample.json))
    metadata = json.loads((Path(run.dir) / "wandb-metadata.json").read_text())
    assert metadata["gpu_count"] == len(metadata["gpu_nvidia"]) >= 1
    assert metadata["gpu"] == torch.cuda.get_device_name(0)
    assert int(metadata["gpu_nvidia"][0]["memoryTotal"]) >= torch.cuda.get_device_properties(0).total_memory


def test_scalars_of_every_type_come_from_the_card(run: wandb.Run) -> None:
    kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int8", "uint8"]
    run.log({kind: torch.tensor(3, dtype=getattr(torch, kind), device="cuda") for kind in kinds})
    run.log({"true": torch.tensor(True, device="cuda"), "loss": torch.ones(1, device="cuda", requires_grad=True).sum()})
    first, second = values_of(run)
    assert {kind: first[kind] for kind in kinds} == dict.fromkeys(kinds, 3)
    assert (second["true"], second["loss"]) == (True, 1.0)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int32", "bool"])
def test_large_tensors_of_every_type_become_histograms(run: wandb.Run, kind: str) -> None:
    run.log({"weights": torch.ones(100, 100, device="cuda").to(getattr(torch, kind))})
    (row,) = values_of(run)
    assert (row["weights"]["_type"], sum(row["weights"]["values"])) == ("histogram", 10_000)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_large_tensor_is_counted_on_the_card_as_in_memory(run: wandb.Run, kind: str) -> None:
    values = torch.arange(-100.0, 1900.0).to(getattr(torch, kind))
    gaps = torch.cat([values, torch.tensor([float("nan"), float("inf")], dtype=values.dtype)])
    equal = torch.full((100,), 0.5, dtype=values.dtype)
    run.log({"values": values, "gaps": gaps, "equal": equal})
    run.log({"values": values.cuda(), "gaps": gaps.cuda(), "equal": equal.cuda()})
    in_memory, on_the_card = values_of(run)
    for key in ("values", "gaps", "equal"):
        assert alike(on_the_card[key], in_memory[key])


def alike(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    """Whether two histograms are the same, but for values at the edges of bins."""
    counts, others = one["values"], other["values"]
    apart = sum(abs(mine - theirs) for mine, theirs in zip(counts, others))
    return bool(one["bins"] == other["bins"] and sum(counts) == sum(others) and apart <= 0.01 * sum(counts))


def test_what_pytorch_may_not_count_deterministically_is_counted_in_memory(run: wandb.Run) -> None:
    net = torch.nn.Linear(64, 64, device="cuda")
    run.watch(net, log_freq=1)
    torch.use_deterministic_algorithms(True)
    try:
        net.weight.square().sum().backward()
        run.log({"weight": net.weight})
    finally:
        torch.use_deterministic_algorithms(False)
    (row,) = values_of(run)
    assert sum(row["gradients/weight"]["values"]) == sum(row["weight"]["values"]) == 64 * 64


def test_tensors_of_a_step_are_counted_together_as_each_would_be_in_memory() -> None:
    torch.manual_seed(0)
    tensors = {f"layer {number}": torch.randn(50 + number) for number in range(100)}
    tensors.update(
        gaps=torch.tensor([1.0, float("nan"), 2.0]), none=torch.full((3,), float("inf")), equal=torch.ones(9)
    )
    in_memory = tensor_histograms(tensors)
    on_the_card = tensor_histograms({key: tensor.cuda() for key, tensor in tensors.items()})
    assert set(on_the_card) == set(in_memory) == set(tensors) - {"none"}
    assert all(alike(on_the_card[key], in_memory[key]) for key in in_memory)


def test_a_small_tensor_is_a_list_and_a_config_holds_numbers(run: wandb.Run) -> None:
    run.log({"few": torch.arange(3, device="cuda")})
    run.config.update({"scale": torch.tensor(0.5, device="cuda")})
    assert values_of(run)[0]["few"] == [0, 1, 2]
    assert run.config["scale"] == 0.5


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_media_come_from_the_card(run: wandb.Run, kind: str) -> None:
    def on_the_card(*shape: int) -> Any:
        return torch.ones(shape, device="cuda", dtype=getattr(torch, kind))

    table = wandb.Table(["one", "many"], [[on_the_card()[()], on_the_card(2)]])
    run.log(
        {
            "picture": wandb.Image(on_the_card(3, 32, 16)),
            "sound": wandb.Audio(on_the_card(100), sample_rate=8000),
            "points": wandb.Object3D(on_the_card(5, 3)),
            "table": table,
        }
    )
    (row,) = values_of(run)
    assert (row["picture"]["width"], row["picture"]["height"]) == (16, 32)
    assert table.data[0][0] == 1.0


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_a_model_on_the_card_is_watched(run: wandb.Run, kind: str) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    net = net.to("cuda", getattr(torch, kind))
    run.watch(net, log="all", log_freq=1, log_graph=True)
    for _ in range(3):
        net.zero_grad()
        loss = net(torch.ones(8, 64, device="cuda", dtype=getattr(torch, kind))).sum()
        loss.backward()
        run.log({"loss": loss})
    row = values_of(run)[-1]
    assert sum(row["gradients/0.weight"]["values"]) == 64 * 64
    assert sum(row["parameters/0.weight"]["values"]) == 64 * 64


def test_a_child_that_is_forked_from_a_program_with_a_card_logs_its_numbers(run: wandb.Run) -> None:
    torch.ones(1, device="cuda")
    child = os.fork()
    if child == 0:  # CUDA itself does not work in it
        run.log({"of the child": 1.0})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.finish()
    assert state_of(run).summary["of the child"] == 1.0


def test_an_agent_finds_the_card_to_give_to_jobs() -> None:
    assert find_gpus("auto", {}) == [str(number) for number in range(torch.cuda.device_count())]
