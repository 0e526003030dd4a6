"""PyTorch's processes and one run: ranks of a distributed training, workers of a data loader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import List

from libraries import import_library
from logged import rows_of, state_of

import_library("torch")

_PROLOGUE = """
import os, signal, socket, sys, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
import torch, wandb
from torch import distributed, multiprocessing, nn
torch.set_num_threads(1)
signal.alarm(110)  # a deadlock ends the test
"""

_RANKS = """
def train(rank, run, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    if rank:  # loggers do it in either way: one rank has the run by pickling, the other by its name
        run = wandb._attach(run._attach_id)
    model = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(20):
        loss = model(torch.full((8, 4), float(rank))).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({f"loss/{rank}": loss, "epoch": step})
    run.summary[f"done{rank}"] = True
    distributed.destroy_process_group()

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with wandb.init(mode="offline", config={"ranks": 2}) as run:
        multiprocessing.spawn(train, args=(run, port), nprocs=2)
        run.log({"trained": True})
"""

_LOADER = """
class Samples(torch.utils.data.Dataset):
    def __init__(self, run):
        self.run = run
    def __len__(self):
        return 64
    def __getitem__(self, index):
        self.run.log({"sample": index})
        return torch.tensor(index)

with wandb.init(mode="offline") as run:
    for epoch in range(3):
        loader = torch.utils.data.DataLoader(
            Samples(run), batch_size=4, num_workers=8, multiprocessing_context="fork"
        )
        for batch, samples in enumerate(loader):
            run.log({"batch": batch, "mean": samples.float().mean()})
"""


def run_program(tmp_path: Path, program: str) -> Path:
    """Run a script; return its run's folder."""
    script = tmp_path / "program.py"
    script.write_text(_PROLOGUE + program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(os.path.realpath(tmp_path / "wandb" / "latest-run"))


def test_two_ranks_under_ddp_log_one_run(tmp_path: Path) -> None:
    folder = run_program(tmp_path, _RANKS)
    rows, state = rows_of(folder), state_of(folder)
    for rank in range(2):
        mine = [row for row in rows if f"loss/{rank}" in row]
        assert [row["epoch"] for row in mine] == list(range(20))
        assert all(isinstance(row[f"loss/{rank}"], float) for row in mine)
    assert {key: state.summary[key] for key in ("done0", "done1", "trained")} == dict.fromkeys(
        ("done0", "done1", "trained"), True
    )
    assert (state.status, state.lost_records, state.config) == ("finished", 0, {"ranks": 2})


def test_forked_workers_of_a_data_loader_log_each_sample(tmp_path: Path) -> None:
    folder = run_program(tmp_path, _LOADER)
    rows = rows_of(folder)
    samples: List[int] = sorted(row["sample"] for row in rows if "sample" in row)
    assert samples == sorted([*range(64)] * 3)
    assert [row["batch"] for row in rows if "batch" in row] == [*range(16)] * 3
    assert state_of(folder).status == "finished"
