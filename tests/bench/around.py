"""What a run costs around its rows: printing while the console is captured, a model that is watched, calls that are
disabled."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional

from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS, Peer
from ._report import Aim, Section, Table, microseconds, times

_AIM = 20
_DISABLED_AIM_NS = 2_000
# In front of the figures, among whatever else a client prints.
_MARK = "figures: "

# A progress bar as tqdm draws it, and a line every hundred steps; before the run too, for what a print costs alone.
_PRINTING = f"""
import json, statistics, sys, time
import wandb
def bar(count):
    taken = []
    for step in range(count):
        text = f"\\r{{step % 100:3d}}%|{{'#' * (step % 50):<50}}| {{step}}/{{count}} [00:01<00:09, 99.9it/s]"
        start = time.perf_counter_ns()
        sys.stderr.write(text)
        sys.stderr.flush()
        if step % 100 == 99:
            print("step", step, file=sys.stderr)
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken)
bar(1000)
alone = bar(5000)
run = wandb.init(project="bench", mode="offline")
bar(1000)
captured = bar(5000)
run.finish()
print("\\n{_MARK}" + json.dumps({{"alone_ns": alone, "captured_ns": captured}}))
"""

# Gradients and parameters of a hundred layers, every tenth step; steps without watching between those with it.
_WATCHING = f"""
import json, statistics, time
import torch, wandb
torch.set_num_threads(1)
model = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(100)))
batch = torch.randn(32, 64)
run = wandb.init(project="bench", mode="offline")
def steps(count):
    start = time.thread_time()
    for _ in range(count):
        model.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        run.log({{"loss": loss.item()}})
    return (time.thread_time() - start) / count * 1e9
steps(20)
plain, watched = [], []
for _ in range(5):
    plain.append(steps(50))
    run.watch(model, log="all", log_freq=10)
    watched.append(steps(50))
    run.unwatch(model)
run.finish()
print("\\n{_MARK}" + json.dumps({{"plain_ns": statistics.median(plain), "watched_ns": statistics.median(watched)}}))
"""

_DISABLED = f"""
import json, statistics, time
import wandb
run = wandb.init(mode="disabled")
row = {{f"train/m{{index}}": 0.1 * index for index in range(10)}}
calls = {{
    "log_ns": lambda: run.log(row),
    "config_ns": lambda: run.config.update({{"lr": 0.1}}, allow_val_change=True),
    "summary_ns": lambda: run.summary.update({{"best": 0.1}}),
}}
def median(call):
    taken = []
    for _ in range(20_000):
        start = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken)
print("\\n{_MARK}" + json.dumps({{name: median(call) for name, call in calls.items()}}))
"""


def measure(bench: Bench) -> Section:
    figures: Dict[str, Dict[str, Any]] = {}
    libraries = bench.torch_place()
    for peer in bench.peers((OURS, OFFICIAL)):
        found = figures.setdefault(peer.name, {})
        found.update(_run(bench, peer, "printing", _PRINTING))
        if libraries is not None:
            # Behind everything that the client's own environment has.
            script = f"import sys\nsys.path.append({str(libraries)!r})\n{_WATCHING}"
            found.update(_run(bench, peer, "watching", script))
        found.update(_run(bench, peer, "disabled", _DISABLED))
    rows = {
        "a print while the console is captured, beyond what it takes alone": ("captured_ns", "alone_ns"),
        "a training step of a watched model of 100 layers, beyond one that isn't": ("watched_ns", "plain_ns"),
        "`log` of 10 scalars, disabled": ("log_ns", None),
        "`config.update`, disabled": ("config_ns", None),
        "`summary.update`, disabled": ("summary_ns", None),
    }
    table = Table(("", *(peer.title for peer in bench.peers(figures))))
    costs = {what: {name: _cost(found, *keys) for name, found in figures.items()} for what, keys in rows.items()}
    for what, by in costs.items():
        cells = [by.get(peer.name) for peer in bench.peers(figures)]
        table.rows.append((what, *("—" if cell is None else microseconds(cell) for cell in cells)))
    return Section(
        "around",
        "Around the rows",
        "Microseconds, medians: of a progress bar's 5,000 writes, of the CPU of 5 x 50 training steps with every tenth "
        "watched in full, and of 20,000 calls of a disabled run.",
        [table],
        {"figures": figures, "costs": costs},
        [*(_aim(what, costs[what]) for what in list(rows)[:2]), _disabled_aim(costs)],
    )


def _run(bench: Bench, peer: Peer, name: str, script: str) -> Dict[str, Any]:
    bench.say(f"around: {name}, {peer.title}")
    output = bench.run_script(peer, script)
    lines = [line for line in (output or "").splitlines() if line.startswith(_MARK)]
    figures: Dict[str, Any] = json.loads(lines[-1][len(_MARK) :]) if lines else {}
    return figures


def _cost(found: Dict[str, Any], key: str, without: Optional[str]) -> Optional[float]:
    if key not in found:
        return None
    return float(found[key]) - (float(found[without]) if without is not None else 0.0)


def _aim(what: str, by: Dict[str, Optional[float]]) -> Aim:
    own, other = by.get(OURS), by.get(OFFICIAL)
    reached = None if own is None or other is None else ratio(other, max(own, 1.0))
    met = None if reached is None else reached >= _AIM
    return Aim(f"{what}: of the official client's", f"{_AIM} times less", times(reached), met)


def _disabled_aim(costs: Dict[str, Dict[str, Optional[float]]]) -> Aim:
    found = [by.get(OURS) for what, by in costs.items() if "disabled" in what]
    worst = max((one for one in found if one is not None), default=None)
    met = None if worst is None else worst < _DISABLED_AIM_NS
    return Aim("the slowest call of a disabled run", "under 2 µs", "—" if worst is None else microseconds(worst), met)
