"""Which rows stand for all: the server and the Api choose alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# What a history has where nobody says how many rows it should have.
SAMPLES_DEFAULT = 500


def evenly(items: Sequence[int], count_max: int) -> Iterator[int]:
    """At most ``count_max`` of the items at equal distances, both ends included."""
    if len(items) <= count_max:
        yield from items
        return
    if count_max <= 1:
        yield from items[-max(count_max, 0) or len(items) :]
        return
    for index in range(count_max):
        yield items[index * (len(items) - 1) // (count_max - 1)]
