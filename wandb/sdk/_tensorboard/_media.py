"""Images of an events file as values of a run."""

from __future__ import annotations

import io
from typing import Any

from ..._terminal import termwarn
from ...data_types._optional import load
from ...errors import DataError, Error
from .._loading import loading
from ._events import Pictures


def loggable(value: Any, tag: str) -> Any:
    """What `log` takes for a value; None for an image that can't be read, which is told."""
    if not isinstance(value, Pictures):
        return value
    try:
        found = [_medium(data) for data in value.encoded]
    except (DataError, Error, OSError, ValueError) as error:
        termwarn(f"TensorBoard: the image {tag} is left out: {error}", repeat=False)
        return None
    return found[0] if len(found) == 1 else found


def _medium(data: bytes) -> Any:
    with loading:
        from ...data_types import Image, Video
    if data.startswith(b"GIF8"):  # `add_video` writes one
        return Video(io.BytesIO(data), format="gif")
    with loading:
        pillow = load("PIL.Image", "pillow", "images of TensorBoard")
    with pillow.open(io.BytesIO(data)) as image:
        image.load()
        return Image(image)
