"""Which Keras it is, and what each of its backends does in its own way."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, List, Tuple

from .._library import library

_BACKENDS = "pip install keras, and tensorflow, torch or jax"


def _find_keras() -> Any:
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true")
    if legacy and importlib.util.find_spec("tf_keras") is not None:
        return library("tf_keras")
    return library("keras", hint=_BACKENDS)


keras: Any = _find_keras()
Callback: Any = keras.callbacks.Callback
IS_KERAS_3 = str(keras.__version__).partition(".")[0] >= "3"


def backend() -> str:
    """tensorflow, torch, jax or numpy."""
    return str(keras.config.backend()) if IS_KERAS_3 else "tensorflow"


def name_of(weight: Any) -> str:
    """A weight's name in its model: `dense/kernel`."""
    return str(getattr(weight, "path", None) or weight.name).partition(":")[0]


def as_array(value: Any) -> Any:
    """A tensor or variable of the backend as an array of NumPy."""
    return keras.ops.convert_to_numpy(value) if IS_KERAS_3 else value.numpy()


def batches(data: Any, size: int = 32) -> List[Tuple[Any, Any]]:
    """(inputs, targets) of training data: two arrays, or something that yields such pairs."""
    if isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = data
        return [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]
    return [(batch[0], batch[1]) for batch in data]


def gradients(model: Any, x: Any, y: Any) -> List[Any]:
    """Those of the loss of a batch, an array for each trainable weight. The model stays as it is."""
    kind = backend()
    compute = {"tensorflow": _gradients_tensorflow, "torch": _gradients_torch, "jax": _gradients_jax}.get(kind)
    if compute is None:
        raise ValueError(f"the backend {kind} has no gradients")
    return compute(model, x, y)


def _gradients_tensorflow(model: Any, x: Any, y: Any) -> List[Any]:
    tensorflow = library("tensorflow")
    with tensorflow.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
    found = tape.gradient(loss, [getattr(one, "value", one) if IS_KERAS_3 else one for one in model.trainable_weights])
    return [tensorflow.convert_to_tensor(one).numpy() for one in found if one is not None]


def _gradients_torch(model: Any, x: Any, y: Any) -> List[Any]:
    convert = keras.ops.convert_to_tensor
    before = [weight.value.grad for weight in model.trainable_weights]
    for weight in model.trainable_weights:
        weight.value.grad = None
    try:
        x, y = convert(x), convert(y)
        model.compute_loss(x=x, y=y, y_pred=model(x, training=True)).backward()
        return [as_array(weight.value.grad) for weight in model.trainable_weights]
    finally:
        for weight, gradient in zip(model.trainable_weights, before):
            weight.value.grad = gradient


def _gradients_jax(model: Any, x: Any, y: Any) -> List[Any]:
    jax = library("jax")
    state = [
        [one.value for one in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
    ]
    compute = jax.grad(model.compute_loss_and_updates, has_aux=True)
    scale = [one.value for one in model.optimizer.variables]  # in which an optimizer may keep a scale of the loss
    found, _ = compute(*state, x, y, None, training=True, optimizer_variables=scale)
    return [as_array(one) for one in found]
