"""Transformers: two trainings of a tiny model, with evaluation, checkpoints, gradients and the model, and a search."""

import os

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

import wandb


class Sentences(torch.utils.data.Dataset):  # type: ignore[misc] # of a library whose types are not looked at
    """Rows of tokens, and whether the first one is of the upper half."""

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(count)
        self.tokens = torch.randint(0, 20, (count, 6), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = self.tokens[index]
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": (tokens[0] >= 10).long()}


def make_model(trial: object = None) -> BertForSequenceClassification:
    set_seed(0)
    size = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    return BertForSequenceClassification(BertConfig(vocab_size=20, max_position_embeddings=8, **size))


def trainer(folder: str, **more: object) -> Trainer:
    arguments = TrainingArguments(
        folder, max_steps=6, logging_steps=2, per_device_train_batch_size=4, report_to="wandb", use_cpu=True, seed=0,
        disable_tqdm=True, **more,
    )  # fmt: skip
    return Trainer(
        model_init=make_model,
        args=arguments,
        train_dataset=Sentences(32),
        eval_dataset=Sentences(8),
        compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())},
    )


os.environ.update(WANDB_WATCH="all", WANDB_LOG_MODEL="checkpoint")
first = trainer("checkpoints", run_name="tiny", eval_strategy="steps", eval_steps=3, save_steps=3)
first.train()
first.evaluate()
wandb.finish()

os.environ.update(WANDB_WATCH="false", WANDB_LOG_MODEL="end")
with wandb.init(tags=["own"], group="trainings", config={"mine": 1}) as run:
    second = trainer("end", save_strategy="no")
    second.train()
    second.log({"custom": 0.5})
    run.log({"after": 1})

os.environ["WANDB_LOG_MODEL"] = "false"
third = trainer("search", save_strategy="no", eval_strategy="epoch")
best = third.hyperparameter_search(
    backend="wandb",
    direction="minimize",
    n_trials=2,
    hp_space=lambda trial: {
        "method": "grid",
        "metric": {"name": "objective", "goal": "minimize"},
        "parameters": {"learning_rate": {"values": [0.001, 0.01]}},
    },
)
assert best.hyperparameters["learning_rate"] in (0.001, 0.01)
