"""Lightning: a training with checkpoints, gradients, images and tables; a test; and Fabric."""

import lightning
import numpy
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

import wandb
from wandb.integration.lightning.fabric import WandbLogger as FabricLogger


class Line(lightning.LightningModule):  # type: ignore[misc] # of a library whose types are not looked at
    """y = 2x, learned."""

    def __init__(self, rate: float = 0.1, layers: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def _loss(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return torch.nn.functional.mse_loss(self.layer(batch[0]), 2 * batch[0])

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        loss = self._loss(batch)
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log_dict({"validation/loss": self._loss(batch), "validation/index": float(index)})

    def test_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("test_loss", self._loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams.rate)


def batches() -> torch.utils.data.DataLoader:
    data = torch.utils.data.TensorDataset(torch.linspace(-1, 1, 16).reshape(-1, 1))
    return torch.utils.data.DataLoader(data, batch_size=4)


lightning.seed_everything(0)
logger = WandbLogger(name="line", log_model="all", tags=["trainer"], group="lines", prefix="run")
model = Line()
logger.watch(model, log="all", log_freq=2, log_graph=False)
trainer = lightning.Trainer(
    accelerator="cpu",
    max_epochs=2,
    log_every_n_steps=2,
    logger=logger,
    callbacks=[
        ModelCheckpoint("checkpoints", monitor="validation/loss", save_top_k=2),
        LearningRateMonitor("step"),
    ],
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, batches(), batches())
trainer.test(model, batches(), verbose=False)
logger.log_image("pictures", [numpy.zeros((4, 4, 3), numpy.uint8)], caption=["black"], step=20)
logger.log_table("rows", columns=["a", "b"], data=[[1, "x"], [2, "y"]])
logger.log_text("texts", columns=["text"], data=[["hello"]])
logger.log_audio("sounds", [numpy.zeros(100, numpy.float32)], sample_rate=[8000])
logger.experiment.config["extra"] = "later"
logger.finalize("success")
wandb.finish()

# A run that the program has begun, and a logger that was sent to another process.
with wandb.init(tags=["own"]):
    import pickle

    logger = pickle.loads(pickle.dumps(WandbLogger()))
    logger.log_hyperparams({"rate": 0.5, "nested": {"a": [1, 2]}})
    logger.log_metrics({"x": 1.0}, step=3)
    logger.log_metrics({"x": 2.0}, step=5)

fabric_logger = FabricLogger(name="fabric", tags=["fabric"])
fabric = lightning.Fabric(accelerator="cpu", devices=1, loggers=[fabric_logger])
for step in range(3):
    fabric.log_dict({"loss": 1 / (step + 1)}, step=step)
fabric_logger.log_html("page", ["<p>hello</p>"])
wandb.finish()
