"""Train a small neural network on scikit-learn's handwritten digits, and log every step.

    python examples/digits.py                      a run of 600 steps
    python examples/digits.py --id RUN             the same run again, from where it stopped

The run can be killed at any moment: what `run.log` has returned from is in its log. `--count FILE` makes the script
keep a count of its own, one byte for each call that returned, to hold the log against.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

import wandb


class Network:
    """One hidden layer, softmax, stochastic gradient descent with momentum."""

    def __init__(self, inputs: int, hidden: int, classes: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.weights = [
            rng.normal(0, np.sqrt(2 / inputs), (inputs + 1, hidden)),
            rng.normal(0, np.sqrt(2 / hidden), (hidden + 1, classes)),
        ]
        self.velocity = [np.zeros_like(weights) for weights in self.weights]

    def forward(self, images: np.ndarray) -> tuple:
        hidden = np.maximum(with_bias(images) @ self.weights[0], 0)
        scores = with_bias(hidden) @ self.weights[1]
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, exponentials / exponentials.sum(axis=1, keepdims=True)

    def step(self, images: np.ndarray, labels: np.ndarray, rate: float) -> float:
        """One update; the norm of the gradient."""
        hidden, probabilities = self.forward(images)
        error = (probabilities - np.eye(probabilities.shape[1])[labels]) / len(labels)
        back = (error @ self.weights[1][:-1].T) * (hidden > 0)
        gradients = [with_bias(images).T @ back, with_bias(hidden).T @ error]
        for index, gradient in enumerate(gradients):
            self.velocity[index] = 0.9 * self.velocity[index] - rate * gradient
            self.weights[index] += self.velocity[index]
        return float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))

    def save(self, path: Path) -> None:
        temporary = path.with_suffix(".new.npz")
        np.savez(temporary, *self.weights, *self.velocity)
        os.replace(temporary, path)

    def load(self, path: Path) -> None:
        with np.load(path) as arrays:
            saved = [arrays[name] for name in arrays.files]
        self.weights, self.velocity = saved[:2], saved[2:]


def with_bias(rows: np.ndarray) -> np.ndarray:
    return np.hstack([rows, np.ones((len(rows), 1))])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600, help="steps of the whole run (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=48, help="hidden units (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate at the start (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="examples a step (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--id", help="the run's id: an existing run goes on where it stopped")
    parser.add_argument("--project", default="digits", help="(default: %(default)s)")
    parser.add_argument("--count", type=Path, help="append one byte to this file for every row that was logged")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    digits = load_digits()
    split = train_test_split(digits.data / 16, digits.target, test_size=0.25, random_state=arguments.seed)
    train_images, test_images, train_labels, test_labels = split
    network = Network(64, arguments.hidden, 10, arguments.seed)

    with wandb.init(project=arguments.project, id=arguments.id, resume="allow", tags=["example"]) as run:
        run.config.update(
            {name: getattr(arguments, name) for name in ("steps", "hidden", "rate", "batch", "seed")},
            allow_val_change=True,
        )
        run.define_metric("accuracy", summary="max,last")
        checkpoint = Path(run.dir) / "checkpoint.npz"
        if run.resumed and checkpoint.exists():
            network.load(checkpoint)
        counter = os.open(arguments.count, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if arguments.count else None
        for step in range(run.step, arguments.steps):
            started = time.perf_counter()
            rate = arguments.rate * 0.5 * (1 + np.cos(np.pi * step / arguments.steps))
            batch = np.random.default_rng((arguments.seed, step)).integers(0, len(train_labels), arguments.batch)
            gradient = network.step(train_images[batch], train_labels[batch], rate)
            _, probabilities = network.forward(test_images)
            run.log(
                {
                    "loss": float(log_loss(test_labels, probabilities, labels=range(10))),
                    "accuracy": float(accuracy_score(test_labels, probabilities.argmax(axis=1))),
                    "gradient_norm": gradient,
                    "learning_rate": float(rate),
                    "examples_per_second": arguments.batch / (time.perf_counter() - started),
                    "epoch": step * arguments.batch // len(train_labels),
                }
            )
            if counter is not None:
                os.write(counter, b".")
            if step % 25 == 24:
                network.save(checkpoint)
        run.summary["parameters"] = sum(weights.size for weights in network.weights)


if __name__ == "__main__":
    main()
