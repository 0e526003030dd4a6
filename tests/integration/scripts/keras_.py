"""Keras: trainings with each of the callbacks, on the backend that KERAS_BACKEND names."""

import keras
import numpy
from _asked import Asked

asked = Asked()

import wandb  # noqa: E402
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint  # noqa: E402
from wandb.integration.keras.callbacks.tables_builder import WandbEvalCallback  # noqa: E402

numpy.random.seed(0)
x = numpy.linspace(-1, 1, 32).reshape(-1, 1).astype("float32")
y = 2 * x
START = keras.initializers.Constant(0.5)


def make_model() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(2, kernel_initializer=START, name="first"),
         keras.layers.Dense(1, kernel_initializer=START, name="last")]
    )  # fmt: skip
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
    return model


class Evaluation(WandbEvalCallback):
    """A table of inputs, and one of predictions."""

    def add_ground_truth(self, logs: object = None) -> None:
        for index, (one, target) in enumerate(zip(x[:3], y[:3])):
            self.data_table.add_data(
                index, float(one[0]), float(target[0]), wandb.Image(numpy.zeros((2, 2, 3), "uint8"))
            )

    def add_model_predictions(self, epoch: int, logs: object = None) -> None:
        for index, output in enumerate(self.model.predict(x[:3], verbose=0)):
            self.pred_table.add_data(epoch, *self.data_table_ref.data[index][:2], float(output[0]))


FIT = {"batch_size": 8, "validation_data": (x, y), "verbose": 0, "shuffle": False}
with wandb.init(tags=["epochs"]):
    callbacks = [
        WandbMetricsLogger(),
        WandbModelCheckpoint("model-{epoch:02d}.keras", save_best_only=True),
        Evaluation(["index", "x", "y", "image"], ["epoch", "index", "x", "predicted"]),
    ]
    make_model().fit(x, y, epochs=3, callbacks=callbacks, **FIT)

with wandb.init(tags=["batches"]):
    callbacks = [
        WandbMetricsLogger(log_freq=2),
        WandbModelCheckpoint("weights.weights.h5", save_weights_only=True, save_freq=4),
    ]
    make_model().fit(x, y, epochs=2, callbacks=callbacks, **FIT)

with wandb.init(tags=["schedule"]):
    model = make_model()
    model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)
    model.fit(x, y, epochs=1, callbacks=[WandbMetricsLogger("batch")], **FIT)

print("loaded by wandb:", sorted(asked.names))
