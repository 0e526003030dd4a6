"""A large file in several streams at a time: one alone seldom fills a network, and the hash is computed beside them."""

from __future__ import annotations

import itertools
import mmap
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Deque, Tuple

from ...errors import CommError

# A smaller file comes in one stream.
RANGED_BYTES_MIN = 64 << 20
STREAMS_MAX = 4
_RANGE_BYTES = 16 << 20
_PIECE_BYTES = 1 << 20

# Hands the bytes from an offset up to another one to a function; whether the server has sent these alone.
FetchRange = Callable[[int, int, Callable[[bytes], object]], bool]


def fetch_ranges(
    fetch: FetchRange, size: int, descriptor: int, found: Any, streams: int, start: int = 0,
    arrived: Callable[[int], object] = lambda stop: None,
) -> None:  # fmt: skip
    """Bring a file's bytes from `start` on into `descriptor`, each where it belongs, and feed the whole file, in order,
    to `found`, a hash object.

    arrived: told up to where the file is whole. Raises CommError, OSError, when no stream writes any more.
    """

    def bring(begun: int, stop: int) -> bool:
        offset = begun

        def write(piece: bytes) -> None:
            nonlocal offset
            with memoryview(piece) as view:
                done = 0
                while done < len(view):
                    done += os.pwrite(descriptor, view[done:], offset + done)
            offset += len(piece)

        ranged = fetch(begun, stop, write)
        if offset != stop:
            raise CommError(f"the server has sent {offset - begun} of {stop - begun} bytes")
        return ranged

    first = min(start + _RANGE_BYTES, size)
    # Of a server that doesn't know ranges, each stream would be the whole file.
    step = _RANGE_BYTES if start == size or bring(start, first) else size
    rest = ((begun, min(begun + step, size)) for begun in range(first, size, step))
    under_way: Deque[Tuple[int, int, Future[bool]]] = deque()
    with ThreadPoolExecutor(streams, thread_name_prefix="range") as workers:

        def begin(count: int) -> None:
            for begun, stop in itertools.islice(rest, count):
                under_way.append((begun, stop, workers.submit(bring, begun, stop)))

        try:
            begin(2 * streams)
            _hash(descriptor, 0, first, found)
            arrived(first)
            while under_way:
                begun, stop, future = under_way.popleft()
                future.result()
                begin(1)
                _hash(descriptor, begun, stop, found)
                arrived(stop)
        except BaseException:
            for _, _, future in under_way:
                future.cancel()
            raise


def _hash(descriptor: int, start: int, stop: int, found: Any) -> None:
    with mmap.mmap(-1, _PIECE_BYTES) as buffer, memoryview(buffer) as view:
        while start < stop:
            count = os.preadv(descriptor, [view[: min(_PIECE_BYTES, stop - start)]], start)
            if not count:
                raise OSError("the file is shorter than what was written to it")
            found.update(view[:count])
            start += count
