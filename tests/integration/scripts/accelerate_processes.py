"""Accelerate on two processes: each one trains on its part, and the main one logs what both have gathered."""

import os

import torch
from accelerate import Accelerator, debug_launcher
from accelerate.utils import set_seed


def train() -> None:
    set_seed(0)
    accelerator = Accelerator(cpu=True, log_with="wandb")
    accelerator.init_trackers(
        os.environ["WANDB_PROJECT"],
        config={"processes": accelerator.num_processes},
        init_kwargs={"wandb": {"tags": ["processes"]}},
    )
    data = torch.utils.data.TensorDataset(torch.linspace(-1, 1, 32).reshape(-1, 1))
    model = torch.nn.Linear(1, 1)
    model, optimizer, loader = accelerator.prepare(
        model, torch.optim.SGD(model.parameters(), lr=0.1), torch.utils.data.DataLoader(data, batch_size=4)
    )
    for step, (x,) in enumerate(loader):
        loss = torch.nn.functional.mse_loss(model(x), 2 * x)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"loss": float(accelerator.gather(loss).mean())}, step=step)
    accelerator.end_training()


debug_launcher(train, num_processes=2)
