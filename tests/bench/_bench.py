"""What the measurements share: sizes, the clients that run here, and running their jobs."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Iterable, List, Optional, Tuple, Type

from ._peers import FORMATS, JOB_SECONDS, OFFICIAL, PEERS, Environment, Peer, PeerFailed, prepare

SCALARS = (1, 10, 100)
TORCH = ("numpy", "torch==2.13.0")


@dataclass(frozen=True)
class Sizes:
    """How much is measured; `slow_calls` is for clients that take long, and 0 leaves a part out."""

    rounds: int = 3
    calls: int = 20_000
    slow_calls: int = 5_000
    paced_calls: int = 400
    start_rounds: int = 7
    disk_rows: int = 50_000
    disk_other_rows: int = 20_000
    disk_others: Tuple[str, ...] = ("walk", "held", "constant")
    kept_rounds: int = 3
    memory_rows: int = 100_000
    append_calls: int = 100_000
    append_seconds: float = 5.0
    commits: int = 200
    busy_pairs: int = 400
    busy_slice_seconds: float = 0.05
    busy_steady_seconds: float = 10.0
    long_marks: Tuple[int, ...] = (1_000_000, 2_000_000, 5_000_000, 10_000_000)
    recovery_megabytes: int = 256
    replay_rows: int = 1_000_000
    server_runs: Tuple[int, ...] = (1, 10, 100)
    server_rows: int = 200_000
    server_paced_seconds: float = 20.0
    server_clients: Tuple[int, ...] = (1, 10)
    server_client_rows: int = 20_000
    server_table_runs: int = 1_000
    server_points: int = 10_000_000
    server_scan_rows: int = 1_000_000
    upload_rows: int = 50_000
    upload_many_rows: int = 1_000_000
    upload_backlog_rows: int = 10_000_000
    upload_files: Tuple[int, int] = (1_000, 100_000)  # how many, of how many bytes
    upload_large_bytes: int = 2 << 30
    lag_rates: Tuple[int, ...] = (10, 100, 1_000)
    lag_seconds: float = 15.0
    idle_seconds: float = 30.0
    idle_runs: Tuple[int, ...] = (1, 21)
    read_rows: int = 1_000_000
    read_compared_rows: int = 100_000
    media_rounds: int = 3
    media_images: int = 1_000
    table_rows: int = 100_000
    page_runs: int = 1_000
    page_rows: int = 200
    page_metrics: int = 500
    page_points: int = 1_000_000
    search_trials: int = 50
    search_seeds: int = 20
    search_calls: int = 10
    artifact_files: int = 10_000
    artifact_bytes: int = 2 << 30
    training_pairs: int = 11
    training_steps: int = 220


QUICK = Sizes(
    rounds=1,
    calls=1_000,
    slow_calls=300,
    paced_calls=0,
    start_rounds=1,
    disk_rows=1_000,
    disk_other_rows=500,
    disk_others=(),
    kept_rounds=1,
    memory_rows=2_000,
    append_calls=5_000,
    append_seconds=0.3,
    commits=5,
    busy_pairs=4,
    busy_slice_seconds=0.02,
    busy_steady_seconds=0.2,
    long_marks=(10_000, 20_000, 50_000, 100_000),
    recovery_megabytes=4,
    replay_rows=10_000,
    server_runs=(1, 10),
    server_rows=2_000,
    server_paced_seconds=2.0,
    server_clients=(1,),
    server_client_rows=500,
    server_table_runs=20,
    server_points=20_000,
    server_scan_rows=5_000,
    upload_rows=2_000,
    upload_many_rows=0,
    upload_backlog_rows=10_000,
    upload_files=(20, 1_000),
    upload_large_bytes=1 << 20,
    lag_rates=(100,),
    lag_seconds=2.0,
    idle_seconds=1.0,
    idle_runs=(1, 3),
    read_rows=20_000,
    read_compared_rows=5_000,
    media_rounds=1,
    media_images=20,
    table_rows=2_000,
    page_runs=30,
    page_rows=50,
    page_metrics=30,
    page_points=20_000,
    search_trials=8,
    search_seeds=2,
    search_calls=2,
    artifact_files=100,
    artifact_bytes=4 << 20,
    training_pairs=1,
    training_steps=40,
)


class Bench:
    """One run of the benchmark. A context manager: its scratch folder goes with it."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        """`folder` gets the environments and, for the time being, what the clients write: it says which disk is
        measured."""
        self.sizes = sizes
        self.failures: Dict[str, List[str]] = {}
        self.environments: Dict[str, Environment] = {}
        self._folder = folder
        self._began = time.monotonic()
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def prepare(self) -> None:
        """Make the environments, and find out which clients run."""
        for peer in (*PEERS, *FORMATS):
            self.say(f"{peer.title}: environment")
            home = self.scratch / peer.name
            home.mkdir()
            try:
                environment = prepare(peer, self._folder / "peers", home)
                counted = environment.run("probe", folder=str(self.new_folder(peer.name)))["rows"]
                if counted != 3:
                    raise PeerFailed(f"probe: {counted} of 3 rows can be read after finish")
            except PeerFailed as error:
                self.fail(peer.name, str(error))
            else:
                self.environments[peer.name] = environment

    def with_libraries(self, peer: Peer, libraries: Tuple[str, ...]) -> Optional[Peer]:
        """A client beside libraries, in an environment of its own; None where that can't be made."""
        beside = dataclasses.replace(peer, libraries=libraries)
        if beside.key not in self.environments:
            (self.scratch / peer.name).mkdir(exist_ok=True)
            try:
                self.environments[beside.key] = prepare(beside, self._folder / "peers", self.scratch / peer.name)
            except PeerFailed as error:
                self.fail(peer.name, str(error))
                return None
        return beside

    def torch_place(self) -> Optional[Path]:
        """Where NumPy and PyTorch are, for all clients; None where they can't be installed."""
        found = [self.with_libraries(peer, TORCH) for peer in self.peers([OFFICIAL])]
        if not found or found[0] is None:
            return None
        return next(self.environments[found[0].key].python.parents[1].glob("lib/python*/site-packages"), None)

    def peers(self, names: Optional[Iterable[str]] = None) -> List[Peer]:
        """The clients that run here, of those named."""
        return [peer for peer in PEERS if peer.name in self.environments and (names is None or peer.name in names)]

    def formats(self) -> List[Peer]:
        """The file formats that stand beside the clients' files."""
        return [one for one in FORMATS if one.name in self.environments]

    def run(
        self, peer: Peer, job: str, folder: Optional[Path] = None, seconds_max: float = JOB_SECONDS, **parameters: Any
    ) -> Optional[Any]:
        """A job's result, or None where it failed, which the report says. What the job writes is removed, unless it
        was told where to write."""
        place = folder or self.new_folder(peer.name)
        try:
            return self.environments[peer.key].run(job, seconds_max, folder=str(place), **parameters)
        except PeerFailed as error:
            self.fail(peer.name, str(error))
            return None
        finally:
            if folder is None:
                shutil.rmtree(place, ignore_errors=True)

    def run_script(self, peer: Peer, script: str) -> Optional[str]:
        place = self.new_folder(peer.name)
        try:
            return self.environments[peer.key].run_script(script, place)
        except PeerFailed as error:
            self.fail(peer.name, str(error))
            return None
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def new_folder(self, name: str) -> Path:
        self._count += 1
        path = self.scratch / f"{name}-{self._count}"
        path.mkdir()
        return path

    def say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._began:6.1f} s] {what}", file=sys.stderr, flush=True)

    def fail(self, name: str, reason: str) -> None:
        self.say(f"{name}: {reason}")
        reasons = self.failures.setdefault(name, [])
        if reason not in reasons:
            reasons.append(reason)


def medians(rounds: List[Dict[str, float]]) -> Dict[str, float]:
    """The median of each figure over the rounds; of a maximum, the largest."""
    return {
        name: (max if name == "max_ns" else statistics.median)(round_[name] for round_ in rounds)
        for name in (rounds[0] if rounds else ())
    }


def ratio(above: Optional[float], below: Optional[float]) -> Optional[float]:
    return above / below if above is not None and below else None


def spread(values: List[float]) -> Tuple[float, float, float]:
    """Median, least, largest."""
    return statistics.median(values), min(values), max(values)
