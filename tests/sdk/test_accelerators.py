"""Accelerators other than NVIDIA's. No machine that runs this test has all of them: what their driver shows, what a
command prints and what a library answers is made up here, in the form that each documents."""

from __future__ import annotations

import json
import plistlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest

import wandb
from wandb.sdk._accelerators import find_accelerators
from wandb.sdk._accelerators._amd import AmdGpus
from wandb.sdk._accelerators._apple import AppleGpu
from wandb.sdk._accelerators._tpu import Tpus
from wandb.sdk._machine_metrics import Machine


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Two cards of AMD's, one of somebody else's, and a connector."""

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")

    write("card0/device/vendor", "0x8086")
    write("card1-HDMI-A-1/device/vendor", "0x1002")
    for card in ("card1", "card10"):
        write(f"{card}/device/vendor", "0x1002")
        write(f"{card}/device/device", "0x740f")
        write(f"{card}/device/gpu_busy_percent", "87")
    write("card1/device/product_name", "AMD Instinct MI210")
    write("card1/device/unique_id", "0x1234abcd")
    write("card1/device/mem_info_vram_total", str(64 << 30))
    write("card1/device/mem_info_vram_used", str(16 << 30))
    write("card1/device/mem_busy_percent", "12")
    write("card1/device/hwmon/hwmon3/temp1_input", "54000")
    write("card1/device/hwmon/hwmon3/power1_average", "150000000")
    write("card1/device/hwmon/hwmon3/power1_cap", "300000000")
    write("card10/device/hwmon/hwmon4/power1_input", "33000000")
    return tmp_path


def test_gpus_of_amd_are_read_from_their_driver(cards: Path) -> None:
    gpus = AmdGpus.find(folder=cards)
    assert gpus is not None
    assert gpus.sample(set()) == {
        "gpu.0.gpu": 87, "gpu.0.memory": 12, "gpu.0.memoryAllocated": 25.0, "gpu.0.memoryAllocatedBytes": 16 << 30,
        "gpu.0.temp": 54.0, "gpu.0.powerWatts": 150.0, "gpu.0.enforcedPowerLimitWatts": 300.0,
        "gpu.0.powerPercent": 50.0, "gpu.1.gpu": 87, "gpu.1.powerWatts": 33.0,
    }  # fmt: skip
    described = gpus.describe()
    assert (described["gpu"], described["gpu_count"]) == ("AMD Instinct MI210", 2)
    assert described["gpu_amd"][0] == {"id": "0x1234abcd", "name": "AMD Instinct MI210", "memoryTotal": str(64 << 30)}
    assert described["gpu_amd"][1] == {"id": "0x740f", "name": "AMD GPU 0x740f"}


def test_settings_choose_among_gpus_of_amd(cards: Path) -> None:
    gpus = AmdGpus.find([1, 7], cards)
    assert gpus is not None
    assert {name.split(".")[1] for name in gpus.sample(set())} == {"1"}
    assert AmdGpus.find([7], cards) is None
    assert AmdGpus.find(folder=cards / "absent") is None


def test_the_gpu_of_an_apple_chip_is_read_from_the_registry() -> None:
    statistics = {"Device Utilization %": 41, "In use system memory": 1 << 30, "Renderer Utilization %": 40}
    answer = [{"model": b"Apple M3 Pro\0", "gpu-core-count": 18, "PerformanceStatistics": statistics}]
    gpu = AppleGpu(lambda: plistlib.dumps(answer))
    assert gpu.sample(set()) == {"gpu.0.gpu": 41, "gpu.0.memoryAllocatedBytes": 1 << 30}
    assert gpu.describe() == {
        "gpu": "Apple M3 Pro", "gpu_count": 1, "gpu_apple": {"name": "Apple M3 Pro", "gpuCores": 18},
    }  # fmt: skip


def test_chips_of_google_are_asked_through_their_library() -> None:
    answers: Dict[str, List[str]] = {
        "duty_cycle_pct": ["12.5", "0.0"], "hbm_capacity_usage": ["1000", "0"], "hbm_capacity_total": ["4000", "4000"],
    }  # fmt: skip

    def get_metric(name: str) -> Any:
        return SimpleNamespace(data=lambda: answers[name])

    chips = Tpus(SimpleNamespace(get_metric=get_metric))
    assert chips.sample(set()) == {
        "tpu.0.dutyCycle": 12.5, "tpu.1.dutyCycle": 0.0, "tpu.0.memoryUsageBytes": 1000.0,
        "tpu.1.memoryUsageBytes": 0.0, "tpu.0.memoryUsage": 25.0, "tpu.1.memoryUsage": 0.0,
    }  # fmt: skip
    assert chips.describe() == {"tpu": {"count": 2, "memoryTotal": "8000"}}


def test_what_fails_leaves_the_rest_of_the_sample(cards: Path) -> None:
    class Broken:
        def sample(self, pids: Any) -> Dict[str, float]:
            raise OSError("gone")

        def describe(self) -> Dict[str, Any]:
            return {}

    gpus = AmdGpus.find(folder=cards)
    assert gpus is not None
    values = Machine(wandb.Settings(), [Broken(), gpus]).sample()
    assert values["gpu.0.gpu"] == 87
    assert "memory_percent" in values
    json.dumps(values)


def test_a_machine_without_any_has_none() -> None:
    assert isinstance(find_accelerators(), list)
