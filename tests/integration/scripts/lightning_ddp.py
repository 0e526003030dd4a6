"""Lightning on two processes: the first one logs, with what it has gathered of both, and checkpoints."""

import os

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

import wandb


class Line(lightning.LightningModule):  # type: ignore[misc] # of a library whose types are not looked at
    """y = 2x, learned."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), 2 * batch[0])
        self.log("loss", loss, on_step=True, on_epoch=True, sync_dist=True)
        if self.global_rank == 0:
            self.logger.experiment.log({"rank": self.global_rank, "index": index})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


# Lightning starts this script once more, for the second process.
lightning.seed_everything(0)
data = torch.utils.data.TensorDataset(torch.linspace(-1, 1, 32).reshape(-1, 1))
logger = WandbLogger(tags=["ddp"], log_model=True)
trainer = lightning.Trainer(
    accelerator="cpu",
    devices=2,
    strategy="ddp",
    max_epochs=2,
    log_every_n_steps=2,
    logger=logger,
    callbacks=[ModelCheckpoint("checkpoints", save_top_k=1)],
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Line(), torch.utils.data.DataLoader(data, batch_size=4))
assert (wandb.run is None) == (os.environ.get("LOCAL_RANK", "0") != "0")
wandb.finish()
