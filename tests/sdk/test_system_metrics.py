"""How the machine does, in the run's log, under the names that dashboards expect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import wandb
from wandb.sdk._accelerators._nvidia import NvidiaGpus
from wandb.sdk._machine_metrics import Machine
from wandb_storage import Reader, SystemMetrics


def samples_of(run: wandb.Run) -> List[Dict[str, Any]]:
    with Reader(Path(run.sync_dir)) as reader:
        found = [entry.record for entry in reader.entries() if isinstance(entry.record, SystemMetrics)]
    return [json.loads(record.json) for record in found]


def test_the_machine_is_sampled_at_once() -> None:
    with wandb.init(mode="offline") as run:
        pass
    (values,) = samples_of(run)
    assert values["proc.memory.rssMB"] > 1
    assert {
        "cpu", "memory_percent", "proc.memory.percent", "proc.memory.availableMB", "proc.cpu.threads",
        "disk./.usagePercent", "disk./.usageGB", "network.sent", "network.recv",
    } <= set(values)  # fmt: skip


def test_settings_say_what_is_watched() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        alone = Machine(wandb.Settings()).sample()["proc.memory.rssMB"]
        tree = Machine(wandb.Settings(x_stats_track_process_tree=True)).sample()["proc.memory.rssMB"]
        other = Machine(wandb.Settings(x_stats_pid=child.pid, x_stats_disk_paths=("/tmp", "/nowhere"))).sample()
        assert other["proc.memory.rssMB"] < alone < tree
        assert "disk./.usagePercent" not in other
        assert "memory_percent" in other
    finally:
        child.communicate(b"\n")


class Nvml:
    """A mock of NVML, since most machines that run this test have no NVIDIA GPU: two cards, the second without ECC
    memory and without a fan. It answers as the library documents."""

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def __getattr__(self, name: str) -> Any:
        answers: Dict[str, Any] = {
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=90, memory=40),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=4 << 30, total=16 << 30),
            "nvmlDeviceGetTemperature": 60,
            "nvmlDeviceGetPowerUsage": 150_000,
            "nvmlDeviceGetEnforcedPowerLimit": 300_000,
            "nvmlDeviceGetClockInfo": 1_500,
            "nvmlDeviceGetFanSpeed": 30,
            "nvmlDeviceGetEncoderUtilization": [5, 167_000],
            "nvmlDeviceGetMemoryErrorCounter": 0,
            "nvmlDeviceGetCurrPcieLinkGeneration": 4,
            "nvmlDeviceGetCurrPcieLinkWidth": 16,
            "nvmlDeviceGetPcieSpeed": 16_000,
            "nvmlDeviceGetName": b"NVIDIA A100",
            "nvmlDeviceGetUUID": "GPU-1",
            "nvmlDeviceGetNumGpuCores": 6912,
            "nvmlSystemGetCudaDriverVersion": 12_040,
        }

        def ask(handle: int = 0, *arguments: int) -> Any:
            if name == "nvmlDeviceGetComputeRunningProcesses":
                return [SimpleNamespace(pid=os.getpid())] if handle == 0 else []
            if name not in answers or (handle == 1 and name.endswith(("FanSpeed", "ErrorCounter"))):
                raise RuntimeError("not supported")
            return answers[name]

        return ask


def test_gpus_are_told_under_the_official_names() -> None:
    values = Machine(wandb.Settings(), [NvidiaGpus(Nvml())]).sample()
    assert values["gpu.0.gpu"] == 90
    assert values["gpu.0.memoryAllocated"] == 25.0
    assert values["gpu.0.powerPercent"] == 50.0
    assert values["gpu.process.0.memoryAllocatedBytes"] == 4 << 30
    names = {name[len("gpu.0.") :] for name in values if name.startswith("gpu.0.")}
    assert names == {
        "gpu", "memory", "memoryAllocated", "memoryAllocatedBytes", "temp", "powerWatts", "powerPercent",
        "enforcedPowerLimitWatts", "smClock", "memoryClock", "graphicsClock", "correctedMemoryErrors",
        "uncorrectedMemoryErrors", "fanSpeed", "encoderUtilization", "pcieLinkGen", "pcieLinkSpeed", "pcieLinkWidth",
    }  # fmt: skip


def test_a_card_that_lacks_a_sensor_shows_the_others() -> None:
    values = NvidiaGpus(Nvml()).sample({os.getpid()})
    assert "gpu.1.fanSpeed" not in values
    assert "gpu.1.temp" in values
    assert not any(name.startswith("gpu.process.1") for name in values)


def test_settings_choose_the_cards() -> None:
    assert {name.split(".")[1] for name in NvidiaGpus(Nvml(), [1, 7]).sample(set())} == {"1"}


def test_the_metadata_tell_of_the_cards() -> None:
    described = NvidiaGpus(Nvml()).describe()
    assert (described["gpu"], described["gpu_count"], described["cudaVersion"]) == ("NVIDIA A100", 2, "12.4")
    assert described["gpu_nvidia"][0] == {
        "name": "NVIDIA A100", "memoryTotal": str(16 << 30), "cudaCores": 6912, "uuid": "GPU-1",
    }  # fmt: skip
