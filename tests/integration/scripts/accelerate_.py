"""Accelerate: a training with its tracker: a config, metrics, images and tables."""

import os

import numpy
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

set_seed(0)
accelerator = Accelerator(cpu=True, log_with="wandb")
accelerator.init_trackers(
    os.environ["WANDB_PROJECT"],
    config={"rate": 0.1, "layers": [4, 2], "nested": {"a": 1}},
    init_kwargs={"wandb": {"tags": ["accelerate"], "group": "lines", "notes": "a line"}},
)
data = torch.utils.data.TensorDataset(torch.linspace(-1, 1, 16).reshape(-1, 1))
model = torch.nn.Linear(1, 1)
model, optimizer, loader = accelerator.prepare(
    model, torch.optim.SGD(model.parameters(), lr=0.1), torch.utils.data.DataLoader(data, batch_size=4)
)
step = 0
for epoch in range(2):
    for (x,) in loader:
        loss = torch.nn.functional.mse_loss(model(x), 2 * x)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"loss": loss.item(), "epoch": epoch}, step=step)
        step += 1
tracker = accelerator.get_tracker("wandb")
tracker.log_images({"pictures": [numpy.zeros((4, 4, 3), numpy.uint8)]}, step=step)
tracker.log_table("rows", columns=["a", "b"], data=[[1, "x"]], step=step + 1)
tracker.store_init_configuration({"late": True})
accelerator.get_tracker("wandb", unwrap=True).summary["best"] = 0.25
accelerator.end_training()
