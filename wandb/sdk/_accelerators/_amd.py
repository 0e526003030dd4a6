"""AMD's GPUs, through what their driver shows below `/sys/class/drm`: no library, program or rights are needed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ._kind import Number

_CARDS = Path("/sys/class/drm")
_AMD = "0x1002"
_MICRO, _MILLI = 1_000_000, 1_000


class AmdGpus:
    """The GPUs of AMD's below a folder of cards, or those with the given numbers."""

    def __init__(self, folder: Path, numbers: Optional[Sequence[int]] = None) -> None:
        found = list(enumerate(_devices(folder)))
        self._devices = [(number, device) for number, device in found if numbers is None or number in numbers]

    @classmethod
    def find(cls, numbers: Optional[Sequence[int]] = None, folder: Path = _CARDS) -> Optional[AmdGpus]:
        """The GPUs, or None where there are none."""
        found = cls(folder, numbers)
        return found if found._devices else None

    def sample(self, pids: Set[int]) -> Dict[str, Number]:
        """What the sensors of each say; the driver doesn't tell whose processes use it."""
        return {
            f"gpu.{number}.{name}": value
            for number, device in self._devices
            for name, value in _sensors(device).items()
        }

    def describe(self) -> Dict[str, Any]:
        """For `wandb-metadata.json`."""
        cards = []
        for _, device in self._devices:
            card: Dict[str, Any] = {"id": _text(device / "unique_id") or _text(device / "device")}
            card["name"] = _text(device / "product_name") or f"AMD GPU {_text(device / 'device')}"
            total = _number(device / "mem_info_vram_total")
            if total:
                card["memoryTotal"] = str(int(total))
            cards.append(card)
        return {"gpu": cards[0]["name"], "gpu_count": len(cards), "gpu_amd": cards}


def _devices(folder: Path) -> Iterator[Path]:
    """The device of each card; connectors (`card0-HDMI-A-1`) and other drivers' cards are none."""
    with contextlib.suppress(OSError):
        cards = [path for path in folder.iterdir() if path.name[:4] == "card" and path.name[4:].isdigit()]
        for path in sorted(cards, key=lambda path: int(path.name[4:])):
            if _text(path / "device" / "vendor") == _AMD:
                yield path / "device"


def _sensors(device: Path) -> Dict[str, Number]:
    total = _number(device / "mem_info_vram_total")
    used = _number(device / "mem_info_vram_used")
    watts, limit = _power(device)
    found: List[Tuple[str, Optional[Number]]] = [
        ("gpu", _number(device / "gpu_busy_percent")),
        ("memory", _number(device / "mem_busy_percent")),
        ("memoryAllocated", 100 * used / total if used is not None and total else None),
        ("memoryAllocatedBytes", used),
        ("temp", _first(device, "temp1_input", _MILLI)),
        ("powerWatts", watts),
        ("enforcedPowerLimitWatts", limit),
        ("powerPercent", 100 * watts / limit if watts is not None and limit else None),
    ]
    return {name: value for name, value in found if value is not None}


def _power(device: Path) -> Tuple[Optional[Number], Optional[Number]]:
    """Watts, as an average or as of now, and the limit."""
    average = _first(device, "power1_average", _MICRO)
    return average if average is not None else _first(device, "power1_input", _MICRO), _first(
        device, "power1_cap", _MICRO
    )


def _first(device: Path, name: str, unit: int) -> Optional[Number]:
    """A sensor of the card's hardware monitor, in whole units."""
    with contextlib.suppress(OSError):
        for monitor in sorted((device / "hwmon").iterdir()):
            value = _number(monitor / name)
            if value is not None:
                return value / unit
    return None


def _number(path: Path) -> Optional[Number]:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""  # this card, or this driver, doesn't have it
