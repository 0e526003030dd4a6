"""Frames in a row: what is intact is found the same way whether they are taken apart or not, and cut at any bound."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wandb_storage._blocks
from wandb_storage._blocks import pack_blocks, unpack_block
from wandb_storage._format import FRAME_HEADER, Frame, frame_spans, parse_block, parse_frames, parse_runs, seal_frame
from wandb_storage._segment import StoredBlock

# (kind, bytes of the record, how many in a row)
likes = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(1, 20) | st.integers(60, 300)), max_size=8
)


def frames_of(likes: List[Tuple[int, int, int]], first: int = 7) -> bytes:
    raw = bytearray()
    sequence = first
    for kind, size, count in likes:
        for _ in range(count):
            content = sequence.to_bytes(2, "little") * (size // 2)
            frame = bytearray(FRAME_HEADER.size) + len(content).to_bytes(4, "little") + content
            seal_frame(frame, kind, sequence)
            raw += frame
            sequence += 1
    return bytes(raw)


def taken_apart(raw: bytes, first: int = 7) -> Tuple[List[Frame], int]:
    frames, end = [], 0
    for run in parse_runs(raw, first):
        end = run.offset + run.frames * run.size
        for index in range(run.frames):
            start = run.offset + index * run.size
            frames.append((run.sequence + index, run.kind, raw[start + FRAME_HEADER.size : start + run.size]))
    return frames, end


@given(likes, st.data())
def test_runs_are_the_frames_whatever_is_damaged(likes: List[Tuple[int, int, int]], data: st.DataObject) -> None:
    raw = bytearray(frames_of(likes))
    if raw and data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    raw = raw[: data.draw(st.integers(0, len(raw)) | st.just(len(raw)))]
    assert taken_apart(bytes(raw)) == parse_frames(bytes(raw), 7)


@given(likes, st.integers(0, 60), st.integers(0, 60))
def test_a_run_between_two_numbers_is_that_part_of_it(likes: List[Tuple[int, int, int]], start: int, stop: int) -> None:
    raw = frames_of(likes)
    parts = [run.between(start, stop) for run in parse_runs(raw, 7)]
    found = [part.sequence + index for part in parts for index in range(part.frames)]
    assert found == [sequence for sequence, _, _ in parse_frames(raw, 7)[0] if start <= sequence < stop]
    for part in (part for part in parts if part.frames):
        assert parse_frames(raw[part.offset : part.offset + part.size], part.sequence)[1] == part.size


@given(likes, st.integers(0, 60), st.integers(1, 700))
def test_spans_are_the_frames_cut_at_a_number_and_a_size(
    likes: List[Tuple[int, int, int]], border: int, bytes_max: int
) -> None:
    raw = frames_of(likes)
    spans, end = frame_spans(raw, 7, border, bytes_max)
    found: List[Frame] = []
    for start, stop, first, following in spans:
        frames, parsed = parse_frames(raw[start:stop], first)
        assert (len(frames), parsed) == (following - first, stop - start)
        assert len(frames) == 1 or stop - start <= bytes_max
        assert not first < border < following
        found += frames
    assert (found, end) == parse_frames(raw, 7)


@pytest.mark.parametrize("bound", [70, 100, 333, 5000])
def test_frames_are_cut_into_blocks_below_the_bound(monkeypatch: pytest.MonkeyPatch, bound: int) -> None:
    monkeypatch.setattr(wandb_storage._blocks, "BLOCK_BYTES_MAX", bound)
    raw = frames_of([(1, 10, 30), (2, 50, 1), (1, 10, 5), (3, 0, 9), (2, 24, 20)])
    frames = parse_frames(raw, 7)[0]
    found: List[Frame] = []
    for packed in pack_blocks(raw, 7, len(frames)):
        parsed = parse_block(packed.value)
        assert parsed is not None
        header, compressed = parsed
        assert header.raw_length <= bound
        block = StoredBlock(header.first_sequence, header.records, header.raw_length, compressed, Path("x"), None)
        assert (packed.first_sequence, packed.last_sequence) == (block.first_sequence, block.last_sequence)
        found += unpack_block(block)
    assert found == frames
