"""Keras's older callback, which the official client has no more: histograms, examples, tables, the best model."""

import keras
import numpy
from _asked import Asked

asked = Asked()

import wandb  # noqa: E402
from wandb.keras import WandbCallback  # noqa: E402

numpy.random.seed(0)
keras.utils.set_random_seed(0)
x = numpy.random.rand(16, 4, 4, 1).astype("float32")
y = (x.mean(axis=(1, 2)) > 0.5).astype("int32")
model = keras.Sequential(
    [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", name="last")]
)
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
with wandb.init() as run:
    callback = WandbCallback(
        log_weights=True,
        log_gradients=True,
        training_data=(x, y),
        validation_data=(x[:4], y[:4]),
        labels=["dark", "light"],
        predictions=2,
        input_type="image",
        output_type="label",
        log_evaluation=True,
        compute_flops=True,
        log_batch_frequency=2,
    )
    model.fit(x, y, batch_size=4, epochs=2, validation_split=0.25, verbose=0, callbacks=[callback])
print("loaded by wandb:", sorted(asked.names))
