"""Tables of validation data and of what a Keras model predicts of them, for `WandbCallback`."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional

from ...data_types import Image, Table, Video
from ...sdk.artifacts.artifact import Artifact
from .._library import active_run

_ROWS_ARTIFACT, _ROWS_TYPE, _ROWS_ENTRY = "wb_validation_data", "validation_dataset", "validation_data"
_LISTED_MAX = 10  # an output of so few numbers is shown number by number

Processor = Callable[[int, Dict[Any, Any]], Mapping[str, Any]]


class Evaluation:
    """labels: names of classes. indexes: rows of a table that has been logged, instead of the data. The processors make
    further columns; with `infer` those that are missing are found out from the shapes."""

    def __init__(
        self,
        labels: List[str],
        indexes: Any,
        data_processor: Optional[Processor],
        prediction_processor: Optional[Processor],
        infer: bool,
    ) -> None:
        self._classes = Table(columns=["label"], data=[[label] for label in labels]) if labels else None
        self._indexes = indexes
        self._data_processor, self._prediction_processor, self._infer = data_processor, prediction_processor, infer
        self.inputs: Any = None

    def begin(self, inputs: Any, targets: Any) -> None:
        """Log the data, unless there are indexes of a table."""
        self.inputs = inputs
        if self._indexes is not None:
            return
        columns = {**_columns("target", targets), **_columns("input", inputs)}
        table = Table(columns=[], data=[])
        for name, values in columns.items():
            table.add_column(name, values)
        processor = self._data_processor
        if processor is None and self._infer:
            classes = dict.fromkeys(_columns("target", targets), self._classes)
            processor = _inferred({name: _shown(values[0], classes.get(name)) for name, values in columns.items()})
        if processor is not None:
            table.add_computed_columns(processor)
        artifact = Artifact(_ROWS_ARTIFACT, type=_ROWS_TYPE)
        artifact.add(table, _ROWS_ENTRY)
        active_run("fit()").use_artifact(artifact)
        self._indexes = table.get_index()

    def predictions(self, model: Any) -> Table:
        """The table of what the model makes of the inputs, each row with the index of its data."""
        columns = _columns("output", model.predict(self.inputs, verbose=0))
        table = Table(columns=[], data=[])
        for name, values in columns.items():
            table.add_column(name, values)
        table.add_column("val_row", self._indexes)
        processor = self._prediction_processor
        if processor is None and self._infer:
            base = None if isinstance(self.inputs, dict) else self.inputs
            processor = _inferred({name: _shown(values[0], self._classes, base) for name, values in columns.items()})
        if processor is not None:
            table.add_computed_columns(processor)
        return table


def _columns(name: str, values: Any) -> Dict[str, Any]:
    return dict(values) if isinstance(values, dict) else {name: values}


Shown = Dict[str, Callable[[int, Any], Any]]


def _inferred(shown: Dict[str, Shown]) -> Optional[Processor]:
    if not any(shown.values()):
        return None

    def processor(index: int, row: Dict[Any, Any]) -> Dict[str, Any]:
        return {
            f"{name}:{what}": show(index, row[name])
            for name, columns in shown.items()
            for what, show in columns.items()
        }

    return processor


def _shown(example: Any, classes: Optional[Table], base: Any = None) -> Shown:
    """What is shown of values that are like `example`: its class, its numbers, an image of it."""
    import numpy

    example = numpy.asarray(example)
    if example.ndim == 1:
        return _shown_numbers(example, classes)
    if example.ndim == 2 and classes is not None and base is not None and numpy.asarray(base[0]).shape == example.shape:
        names = dict(enumerate(classes.get_column("label")))
        return {
            "image": lambda index, mask: Image(
                base[index], masks={"masks": {"mask_data": numpy.asarray(mask), "class_labels": names}}
            )
        }
    if example.ndim in (2, 3):
        return {"image": lambda index, picture: Image(numpy.asarray(picture))}
    return {"video": lambda index, frames: Video(numpy.asarray(frames))} if example.ndim == 4 else {}


def _shown_numbers(example: Any, classes: Optional[Table]) -> Shown:
    import numpy

    one_hot = set(numpy.unique(example).tolist()) == {0, 1}
    if classes is not None and len(example) == len(classes.data):
        names = classes.get_column("label")
        shown: Shown = {"max_class": lambda index, scores: classes.index_ref(int(numpy.argmax(scores)))}
        if not one_hot:
            shown["score"] = lambda index, scores: dict(zip(names, numpy.asarray(scores).tolist()))
        return shown
    if len(example) == 1:
        if example.dtype.kind not in "iu":
            return {}
        if classes is None:
            return {"val": lambda index, value: int(value[0])}
        count = len(classes.data)
        return {"class": lambda index, value: classes.index_ref(int(value[0])) if value[0] < count else int(value[0])}
    shown = {"argmax": lambda index, values: int(numpy.argmax(values))}
    if len(example) <= _LISTED_MAX:
        shown["node"] = lambda index, values: numpy.asarray(values).tolist()
    if not one_hot:
        shown["argmin"] = lambda index, values: int(numpy.argmin(values))
    return shown
