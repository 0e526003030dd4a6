"""What logging costs a real training loop: steps a second of Transformers, Lightning and Keras with and without it.

In one process trainings with and without logging take turns, so that whatever the machine does meets both. The first
steps of each are not counted, nor are `init` and `finish`.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ._bench import Bench
from ._peers import OFFICIAL, OURS, Peer
from ._report import NONE, Aim, Section, Table

# In front of the figures, among whatever else libraries print.
_MARK = "figures: "
_WARM_UP = 20


class Loop(NamedTuple):
    """A library's training loop: what pip installs for it, and `train(logged)`, which returns seconds for its steps."""

    title: str
    libraries: Tuple[str, ...]
    source: str


_CLOCK = f"""
import json, os, sys, time
class Clock:
    def __init__(self):
        self.step = 0
    def begin(self):
        if self.step == {_WARM_UP}:
            self.began = time.perf_counter()
        self.ended = time.perf_counter()
        self.step += 1
    def seconds(self):
        return self.ended - self.began
"""

_TRANSFORMERS = """
import torch, wandb
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments
torch.set_num_threads(1)
size = dict(hidden_size=64, intermediate_size=128, num_attention_heads=4, num_hidden_layers=2)
model = BertForSequenceClassification(BertConfig(vocab_size=100, max_position_embeddings=32, **size))
rows = [{"input_ids": torch.randint(0, 100, (16,)), "labels": torch.tensor(index % 2)} for index in range(256)]
class Steps(TrainerCallback):
    def __init__(self, clock):
        self.clock = clock
    def on_step_begin(self, arguments, state, control, **named):
        self.clock.begin()
def train(logged):
    clock = Clock()
    arguments = TrainingArguments(
        "out", max_steps=STEPS, logging_steps=1, per_device_train_batch_size=8, use_cpu=True, save_strategy="no",
        disable_tqdm=True, report_to="wandb" if logged else "none",
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Steps(clock)])
    trainer.train()
    wandb.finish()
    return clock.seconds()
"""

_LIGHTNING = """
import lightning, logging, torch, wandb
from lightning.pytorch.loggers import WandbLogger
torch.set_num_threads(1)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(*(torch.nn.Linear(256, 256) for _ in range(8)))
    def training_step(self, batch, index):
        loss = self.layers(batch[0]).square().mean()
        self.log_dict({"loss": loss, "root": loss.detach().sqrt()})
        return loss
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.001)
class Steps(lightning.Callback):
    def __init__(self, clock):
        self.clock = clock
    def on_train_batch_start(self, *_):
        self.clock.begin()
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(32 * STEPS, 256)), batch_size=32)
def train(logged):
    clock = Clock()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, log_every_n_steps=1, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, callbacks=[Steps(clock)], logger=WandbLogger(project="bench") if logged else False,
    )
    trainer.fit(Model(), data)
    wandb.finish()
    return clock.seconds()
"""

_KERAS = """
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, numpy, wandb
from wandb.integration.keras import WandbMetricsLogger
class Steps(keras.callbacks.Callback):
    def __init__(self, clock):
        super().__init__()
        self.clock = clock
    def on_train_batch_begin(self, batch, logs=None):
        self.clock.begin()
x = numpy.random.rand(32 * STEPS, 256).astype("float32")
def train(logged):
    model = keras.Sequential([keras.Input((256,)), *(keras.layers.Dense(256) for _ in range(8)), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    if logged:
        wandb.init(project="bench")
    clock = Clock()
    callbacks = [Steps(clock), *([WandbMetricsLogger("batch")] if logged else [])]
    model.fit(x, x[:, :1], batch_size=32, epochs=1, verbose=0, callbacks=callbacks)
    wandb.finish()
    return clock.seconds()
"""

_PAIRS = f"""
train(False), train(True)
pairs = []
for pair in range(PAIRS):
    order = (False, True) if pair % 2 else (True, False)
    taken = {{logged: train(logged) for logged in order}}
    pairs.append([(STEPS - {_WARM_UP + 1}) / taken[logged] for logged in (False, True)])
print("\\n{_MARK}" + json.dumps(pairs))
"""

LOOPS = [
    Loop("Transformers", ("torch==2.13.0", "transformers==5.24.0", "accelerate==1.15.0"), _TRANSFORMERS),
    Loop("Lightning", ("torch==2.13.0", "lightning==2.6.6"), _LIGHTNING),
    Loop("Keras", ("tensorflow-cpu==2.21.0", "keras==3.15.1"), _KERAS),
]


def measure(bench: Bench) -> Section:
    table = Table(("", "", "steps/s without logging", "with", "it takes, of a step", "interval"))
    data: Dict[str, Dict[str, List[List[float]]]] = {}
    aims = []
    for loop in LOOPS:
        place = _libraries(bench, loop)
        for peer in bench.peers((OURS, OFFICIAL)) if place is not None else ():
            pairs = _pairs(bench, peer, loop, place)
            if not pairs:
                continue
            data.setdefault(loop.title, {})[peer.name] = pairs
            without, logged = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
            low, middle, high = overhead(pairs)
            interval = f"{low:.1%} to {high:.1%}"
            table.rows.append(
                (loop.title, peer.title, f"{without:,.0f}", f"{logged:,.0f}", f"{middle:.1%}", interval)
            )  # fmt: skip
            if peer.name == OURS:
                aims.append(Aim(f"{loop.title}: what logging takes of a step", "0 in the interval", interval, low <= 0))
        if loop.title not in data:
            aims.append(Aim(f"{loop.title}: what logging takes of a step", "0 in the interval", NONE, None))
    return Section(
        "training",
        "Training loops",
        f"Every step is logged, offline. {bench.sizes.training_pairs} pairs of trainings of "
        f"{bench.sizes.training_steps} steps, with and without logging in turns; the median of what a step takes "
        "longer, and the interval that holds it with a confidence of at least 95 %, from the order of the pairs.",
        [table],
        data,
        aims,
    )


def overhead(pairs: List[List[float]]) -> Tuple[float, float, float]:
    """(low, median, high) of how much longer a step takes with logging, as a part of one without.

    Of 9 pairs or more the second least and the second largest are the interval: the median is beyond them with a
    probability below 4 %.
    """
    parts = sorted(without / logged - 1 for without, logged in pairs)
    cut = 1 if len(parts) >= 9 else 0
    return parts[cut], statistics.median(parts), parts[-1 - cut]


def _pairs(bench: Bench, peer: Peer, loop: Loop, place: Optional[Path]) -> List[List[float]]:
    bench.say(f"training: {loop.title}, {peer.title}")
    sizes = f"STEPS, PAIRS = {bench.sizes.training_steps}, {bench.sizes.training_pairs}\n"
    # Behind everything that the client's own environment has.
    path = f"import sys\nsys.path.append({str(place)!r})\n"
    output = bench.run_script(peer, f"{path}{sizes}{_CLOCK}{loop.source}{_PAIRS}") or ""
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    found: List[List[float]] = json.loads(lines[-1][len(_MARK) :]) if lines else []
    return found


def _libraries(bench: Bench, loop: Loop) -> Optional[Path]:
    """Where a loop's libraries are, for both clients; None where they can't be installed."""
    beside: List[Any] = [bench.with_libraries(peer, loop.libraries) for peer in bench.peers([OFFICIAL])]
    if not beside or beside[0] is None:
        return None
    return next(bench.environments[beside[0].key].python.parents[1].glob("lib/python*/site-packages"), None)
