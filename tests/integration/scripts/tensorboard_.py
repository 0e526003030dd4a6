"""TensorBoard: scalars, histograms, text and images of several writers, with `sync_tensorboard` and with `patch`."""

import numpy
import torch
from torch.utils.tensorboard import SummaryWriter

import wandb

torch.manual_seed(0)

with wandb.init(sync_tensorboard=True, tags=["init"]) as run:
    run.log({"own": 1})
    with SummaryWriter("logs/one") as writer:
        for step in range(5):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_scalar("accuracy", step / 5, step)
        writer.add_histogram("weights", numpy.arange(10.0), 4)
        writer.add_image("picture", numpy.zeros((3, 4, 4), numpy.uint8), 4)

wandb.tensorboard.unpatch()  # which `sync_tensorboard` has patched, in the official client
wandb.tensorboard.patch(root_logdir="logs/two")
with wandb.init(tags=["patch"]):
    for part in ("train", "validation"):
        with SummaryWriter(f"logs/two/{part}") as writer:
            for step in range(3):
                writer.add_scalar("loss", step, step)
wandb.tensorboard.unpatch()
