"""How many floating-point operations a prediction of a Keras model takes, on each backend."""

from __future__ import annotations

from typing import Any

from .._library import library
from ._backend import backend, keras


def gigaflops(model: Any) -> float:
    """Multiplications with their additions, in billions, for one sample.

    Raises ValueError where the shape of the inputs is not known, or the backend can't tell.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs or any(size is None for one in inputs for size in tuple(one.shape)[1:]):
        raise ValueError("the shape of the model's inputs is not known")
    kind = backend()
    count = {"tensorflow": _count_tensorflow, "torch": _count_torch, "jax": _count_jax}.get(kind)
    if count is None:
        raise ValueError(f"the backend {kind} doesn't count them")
    return count(model) / 2 / 1e9


def _samples(model: Any) -> Any:
    import numpy

    samples = [numpy.zeros((1, *tuple(one.shape)[1:]), _dtype(one)) for one in model.inputs]
    return samples[0] if len(samples) == 1 else samples


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _count_tensorflow(model: Any) -> float:
    tensorflow = library("tensorflow")
    constants = library("tensorflow.python.framework.convert_to_constants", "tensorflow")
    shapes = [tensorflow.TensorSpec((1, *tuple(one.shape)[1:]), _dtype(one)) for one in model.inputs]
    call = tensorflow.function(lambda *inputs: model(inputs[0] if len(inputs) == 1 else list(inputs)))
    frozen, _ = constants.convert_variables_to_constants_v2_as_graph(call.get_concrete_function(*shapes))
    profiler = tensorflow.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output().build()
    found = profiler.profile(
        graph=frozen.graph, run_meta=tensorflow.compat.v1.RunMetadata(), cmd="scope", options=options
    )
    return float(found.total_float_ops)


def _count_torch(model: Any) -> float:
    torch = library("torch")
    counter = library("torch.utils.flop_counter", "torch").FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(keras.ops.convert_to_tensor(_samples(model)) if len(model.inputs) == 1 else _samples(model))
    return float(counter.get_total_flops())


def _count_jax(model: Any) -> float:
    jax = library("jax")
    compiled = jax.jit(lambda x: model(x)).lower(_samples(model)).compile()
    cost = compiled.cost_analysis()
    return float((cost[0] if isinstance(cost, list) else cost)["flops"])
