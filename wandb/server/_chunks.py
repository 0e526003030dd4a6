"""Chunks: consecutive lines of a stream as bytes.

A chunk is a zstd frame: the step of each line as a 64-bit integer, little-endian, left out when no line has one; then
the lines in UTF-8 with a NUL between two of them, which no line holds.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import zstandard

from ._limits import CHUNK_CHARACTERS, CHUNK_LINES
from ._values import parse_row

# Low for lines that just came, which are packed again by and by; the default for what stays.
FAST, SMALL = 1, 3

_SEPARATOR = "\0"

# Stands for the step of a line that is no row; no step is that low.
_NO_STEP = -(2**63)
_STEP_MAX = 2**63 - 1

_threads = threading.local()


@dataclass(frozen=True)
class Lines:
    """Consecutive lines of a stream, the first one's number, and the step of each; None for a line that is no row."""

    first: int
    contents: Sequence[str]
    steps: Sequence[int | None]

    @property
    def end(self) -> int:
        return self.first + len(self.contents)

    def part(self, start: int, end: int) -> Lines:
        """The lines with ``start <= number < end``."""
        low, high = max(0, start - self.first), max(0, end - self.first)
        return Lines(self.first + low, self.contents[low:high], self.steps[low:high])


def storable_lines(contents: list[str]) -> list[str]:
    """The lines as they are kept: without the newline that clients of 2023 and before put at their end, without NUL."""
    whole = _SEPARATOR.join(contents)
    # Nearly always there is nothing to do, and looking at the lines together is a fraction of the cost.
    if "\n" in whole:
        contents = [line.rstrip("\n") for line in contents]
    if whole.count(_SEPARATOR) >= len(contents):
        contents = [line.replace(_SEPARATOR, "\N{SYMBOL FOR NULL}") for line in contents]
    if not whole.isascii():
        # Half of a surrogate pair, as a cut in the middle of a character leaves it, has no UTF-8.
        contents = [line.encode("utf-8", "replace").decode() for line in contents]
    return contents


def row_steps(first: int, contents: Sequence[str]) -> list[int | None]:
    """The step of each line: its own, else its line number; None when the line is not an object.

    Several writers of one run send rows without a step, so the order of arrival must do. A line that is no object is
    kept for whoever reads the stream, but is no row of the history.
    """
    return [_row_step(content, number) for number, content in enumerate(contents, first)]


def _row_step(content: str, number: int) -> int | None:
    row = parse_row(content)
    if row is None:
        return None
    step = row.get("_step")
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    if isinstance(step, int) and not isinstance(step, bool) and abs(step) <= _STEP_MAX:
        return step
    return number


def pieces(lines: Lines) -> Iterator[Lines]:
    """The lines in parts of the size of a chunk."""
    ends = list(accumulate(map(len, lines.contents)))
    start, before = 0, 0
    while start < len(ends):
        end = max(start + 1, min(start + CHUNK_LINES, bisect_right(ends, before + CHUNK_CHARACTERS)))
        yield Lines(lines.first + start, lines.contents[start:end], lines.steps[start:end])
        start, before = end, ends[end - 1]


def pack(lines: Lines, level: int = FAST) -> dict[str, Any]:
    """The columns of a chunk, without the run and the stream that it is of."""
    steps = [step for step in lines.steps if step is not None]
    head = b""
    if steps:
        head = np.array([_NO_STEP if step is None else step for step in lines.steps], dtype="<i8").tobytes()
    text = _SEPARATOR.join(lines.contents).encode()
    return {
        "first": lines.first,
        "lines": len(lines.contents),
        "rows": len(steps),
        "low_step": min(steps, default=None),
        "high_step": max(steps, default=None),
        "data": _compressor(level).compress(head + text),
    }


def unpack(first: int, count: int, rows: int, data: bytes) -> Lines:
    """The lines of a chunk."""
    content = _decompressor().decompress(data)
    head = 8 * count if rows else 0
    steps: list[int | None] = [None] * count
    if rows:
        steps = np.frombuffer(content, "<i8", count).tolist()
        if rows < count:
            steps = [None if step == _NO_STEP else step for step in steps]
    return Lines(first, content[head:].decode().split(_SEPARATOR), steps)


def _compressor(level: int) -> zstandard.ZstdCompressor:
    # One serves one thread at a time, and takes longer to make than to use on a few lines.
    made: dict[int, zstandard.ZstdCompressor] = _threads.__dict__.setdefault("compressors", {})
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level)
    return made[level]


def _decompressor() -> zstandard.ZstdDecompressor:
    made: zstandard.ZstdDecompressor = _threads.__dict__.setdefault("decompressor", zstandard.ZstdDecompressor())
    return made
