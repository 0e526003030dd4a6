"""The segment that is being written, and the way to the next one: for the committer and for recovery."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterable, Optional

from ._blocks import PackedBlock
from ._errors import LogError
from ._format import SEGMENT_FILL_BYTES
from ._segment import Identity, Segment, create_segment, segment_path

# What a block costs in LMDB beside its value: its key, its node, its place in a page.
_NODE_BYTES = 64


class SegmentWriter:
    """Puts blocks into the last segment of a log. For one thread."""

    def __init__(self, folder: Path, identity: Identity, committed: int, segment: Optional[Segment]) -> None:
        """`segment` is None where the one of `identity` can't be written: the first block starts the next."""
        self.folder, self.identity = folder, identity
        self.committed = committed  # the last record that survives a power loss
        self._segment = segment
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._bytes > SEGMENT_FILL_BYTES

    def put(self, blocks: Iterable[PackedBlock], seal: bool = False) -> None:
        """Make the blocks durable, one after the other, but for those that are; with `seal`, end the log with the last.

        Raises LogUnavailable. What was committed by then is known to `committed`, so the call can be repeated.
        """
        fresh = [one for one in blocks if one.last_sequence > self.committed]
        for index, one in enumerate(fresh):
            last = index == len(fresh) - 1
            self._put(one, one.last_sequence if seal and last else None)
            self.committed = one.last_sequence
        if seal and not fresh:
            self._put(None, self.committed)

    def _put(self, one: Optional[PackedBlock], seal: Optional[int]) -> None:
        blocks = [] if one is None else [(one.first_sequence, one.value)]
        for attempt in (1, 2):
            if self._segment is None:
                self.start_next()
            assert self._segment is not None
            try:
                self._segment.put(blocks, seal)
                break
            except LogError:
                # After a failed commit neither the environment nor the pages behind it can be trusted, and a sync that
                # is tried again may succeed without having written anything: what isn't known to be durable goes into
                # a fresh file.
                self._drop_segment()
                if attempt == 2:
                    raise
        self._bytes += sum(len(value) + _NODE_BYTES for _, value in blocks)

    def start_next(self, stands_alone: bool = False) -> None:
        """Seal the segment and start the next one. Raises LogUnavailable.

        `stands_alone`: the records that it will get name no shape of the segments before.
        """
        if self._segment is not None:
            # The seal is a courtesy: a segment that another one follows is known to be complete.
            with contextlib.suppress(LogError):
                self._segment.put([], self.committed)
            self._drop_segment()
        identity = self.identity._replace(
            segment=self.identity.segment + 1,
            first_sequence=self.committed + 1,
            created=time.time(),
            stands_alone=stands_alone,
        )
        path = segment_path(self.folder, identity.run_id, identity.segment)
        create_segment(path, identity)
        self.identity = identity
        self._segment = Segment(path)
        self._bytes = 0

    def _drop_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()

    def close(self) -> None:
        self._drop_segment()
