"""Images of what a Keras model is given and what it makes of that, for `WandbCallback`."""

from __future__ import annotations

import colorsys
from typing import Any, List, Optional

from ...data_types import Image

_PICTURES = ("image", "images", "segmentation_mask")


class Examples:
    """count: at most so many, chosen at random. labels: the names of classes. class_colors: (r, g, b) of classes."""

    def __init__(self, count: int, labels: List[str], class_colors: Any) -> None:
        self._count, self._labels, self._class_colors = count, labels, class_colors

    def images(self, model: Any, x: Any, y: Any, input_type: Optional[str], output_type: Optional[str]) -> List[Image]:
        """The images of an epoch: inputs, predictions, truths, as far as they are pictures, with labels as captions."""
        import numpy

        x, y = numpy.asarray(x), numpy.asarray(y)
        chosen = numpy.arange(len(x))
        if len(x) > self._count:
            chosen = numpy.random.choice(len(x), self._count, replace=False)
        inputs, truths = x[chosen], y[chosen]
        outputs = numpy.asarray(model.predict(inputs, verbose=0))
        if output_type == "label" and input_type in _PICTURES:
            captions = self._captions(outputs)
            return [Image(one, caption=str(text)) for one, text in zip(self._pixels(inputs, input_type), captions)]
        columns = []
        if input_type in _PICTURES:
            columns.append(self._pixels(inputs, input_type))
        if output_type in _PICTURES:
            columns += [self._pixels(outputs, output_type), self._pixels(truths, output_type)]
        captions = self._captions(inputs) if input_type == "label" else [None] * len(inputs)
        return [
            # The first one of a group says how many belong together.
            Image(picture, caption=caption, grouping=len(columns) if place == 0 and len(columns) > 1 else None)
            for *pictures, caption in zip(*columns, captions)
            for place, picture in enumerate(pictures)
        ]

    def _captions(self, scores: Any) -> List[Any]:
        """The names of the classes that scores (samples, classes) stand for; of one score, of false and true."""
        if scores.shape[-1] == 1:
            if len(self._labels) == 2:
                return [self._labels[bool(score > 0.5)] for score in scores.reshape(-1)]
            return [float(score) for score in scores.reshape(-1)]
        classes = [int(number) for number in scores.reshape(len(scores), -1).argmax(axis=1)]
        return [self._labels[number] if number < len(self._labels) else number for number in classes]

    def _pixels(self, pictures: Any, kind: Optional[str]) -> Any:
        """Pictures (samples, height, width, channels); scores of several classes become the classes' colors."""
        import numpy

        if kind != "segmentation_mask" or pictures.ndim < 4 or pictures.shape[-1] == 1:
            return pictures
        colors = self._class_colors
        if colors is None:
            count = pictures.shape[-1]
            colors = [colorsys.hsv_to_rgb(index / max(1, count - 1), 1.0, 1.0) for index in range(count)]
        return numpy.asarray(colors)[pictures.argmax(axis=-1)]
