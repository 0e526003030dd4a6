"""Rows of one layout: frames that differ in step, time and values only, so that many of them are taken at a time.

A row's layout is learned from the first one of its kind, which goes the ordinary way. What follows is compared with it
word by word, for all frames at once: nothing is taken for granted that the bytes don't say.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Callable, Dict, Generic, List, Optional, Tuple, TypeVar

from ._decode import FastRow, RowDecoder
from ._encode import ROW_REST_AT, ROW_STEP_AT, storage_order
from ._format import FRAME_HEADER, SHAPES_MAX, Buffer
from ._records import (
    Alert,
    Artifact,
    ConfigChange,
    Console,
    FileSaved,
    Labels,
    Preempting,
    RowFlag,
    Shape,
    Telemetry,
)
from ._summary import MetricRules

HEADER = FRAME_HEADER.size
WORD = 8
STEP_WORD, TIME_WORD = (HEADER + ROW_STEP_AT) // WORD, (HEADER + ROW_STEP_AT) // WORD + 1
# Records that change nothing for rows, and for which rows change nothing. What isn't known to be so is not so.
INDEPENDENT = frozenset((Alert, Artifact, ConfigChange, Console, FileSaved, Labels, Preempting, Shape, Telemetry))


class Layout:
    """What the frames of such rows have in common, and where they differ."""

    def __init__(self, fast: FastRow, head: bytes, size: int) -> None:
        self.fast = fast
        self.size = size  # of a frame
        self.explicit = bool(fast.flags & RowFlag.EXPLICIT)
        self._rest, self._rest_at, self._rest_end = fast.rest, HEADER + ROW_REST_AT, HEADER + fast.values_at
        self._fixed = [*_words(HEADER, head), *_words(self._rest_at, fast.rest)]
        doubles, integers, _ = storage_order(fast.scalars)
        # Between the two kinds of values stands the number of those that follow.
        first_double = (HEADER + fast.values_at) // WORD
        first_integer = first_double + len(doubles) + 1
        places = {index: first_double + place for place, index in enumerate(doubles)}
        places.update((index, first_integer + place) for place, index in enumerate(integers))
        self.places = [places.get(index, 0) for index in range(len(fast.keys))]  # words of the keys' values; 0: none

    def fits(self, raw: bytes, offset: int) -> bool:
        """Whether the frame at `offset` is of this layout; that it starts like one is known."""
        return raw[offset + self._rest_at : offset + self._rest_end] == self._rest

    def fits_all(self, raw: bytes, offset: int, count: int) -> bool:
        words = memoryview(raw)[offset : offset + count * self.size].cast("Q")
        stride = self.size // WORD
        return all(words[place::stride].tobytes() == word * count for place, word in self._fixed)

    def column(self, frames: Buffer, word: int, typecode: str) -> Any:
        """One eight-byte field of each frame."""
        values = array(typecode)
        values.frombytes(memoryview(frames).cast("Q")[word :: self.size // WORD].tobytes())
        if sys.byteorder == "big":
            values.byteswap()
        return values


def _words(position: int, fixed: bytes) -> List[Tuple[int, bytes]]:
    """(number of the word in its frame, its bytes) of bytes that start at a word."""
    return [((position + at) // WORD, fixed[at : at + WORD]) for at in range(0, len(fixed), WORD)]


SomeLayout = TypeVar("SomeLayout", bound=Layout)


class Layouts(Generic[SomeLayout]):
    """The layouts that are known so far, of rows that are complete as they stand; `make` makes one."""

    def __init__(self, decoder: RowDecoder, make: Callable[[FastRow, bytes, int], SomeLayout]) -> None:
        self._decoder, self._make = decoder, make
        self._known: Dict[bytes, Optional[SomeLayout]] = {}  # by how their rows start; None: to be taken one by one

    def at(self, raw: bytes, offset: int) -> Optional[SomeLayout]:
        """That of the row whose frame is at `offset`, if it may be taken with others."""
        layout = self._known.get(raw[offset + HEADER : offset + HEADER + ROW_STEP_AT])
        return layout if layout is not None and layout.fits(raw, offset) else None

    def learn(self, payload: bytes, metrics: MetricRules) -> None:
        """Remember the layout of a row that was decoded, and whether others of it can be taken together."""
        head = payload[:ROW_STEP_AT]
        fast = self._decoder.known(payload)
        if fast is None or head in self._known:
            return
        if len(self._known) >= SHAPES_MAX:
            self._known.clear()
        size = HEADER + len(payload)
        plain = fast.flags & RowFlag.COMMIT and size % WORD == 0 and metrics.leave_alone(fast.keys)
        self._known[head] = self._make(fast, head, size) if plain else None

    def forget(self) -> None:
        """Another record may have defined a metric."""
        self._known.clear()
