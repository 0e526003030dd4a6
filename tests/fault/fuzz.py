"""Coverage-guided fuzzing (atheris) of what decodes a log's bytes: frames, tails' headers, blocks, records, rows.

A fuzzer doesn't guess checksums, so the harness puts right ones around what it invents: what is tried is what stands
behind them. Only the errors that the decoders name may come out, and what comes out can be written again and read again
to the same bytes.

    python tests/fault/fuzz.py --seconds 3600 --seed 1
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Callable, List, Tuple

import zstandard

from wandb_storage._blocks import unpack_block
from wandb_storage._decode import RowDecoder, Undecodable, decode
from wandb_storage._encode import encode
from wandb_storage._errors import LogDamaged
from wandb_storage._format import (
    BLOCK_BYTES_MAX,
    FRAME_HEADER,
    block,
    block_key,
    frame_spans,
    parse_frames,
    parse_tail_header,
    seal_frame,
    tail_header,
)
from wandb_storage._records import RECORD_TYPES, Row, Scalar, Shape
from wandb_storage._segment import parse_stored

HERE = Path("fuzzed")
SHAPES = {1: Shape(["a", "b", "c", "d"], [Scalar.DOUBLE, Scalar.INTEGER, Scalar.BOOLEAN, Scalar.NULL])}
INPUT_BYTES_MAX = 4096


def fuzz_frames(data: bytes) -> None:
    """Those that are read were written, both ways of reading agree, and what is in them decodes or is refused."""
    frames, end = parse_frames(data, 7)
    assert b"".join(_sealed(kind, number, payload) for number, kind, payload in frames) == data[:end]
    spans, stop = frame_spans(data, 7, 0, BLOCK_BYTES_MAX)
    assert stop == end
    assert sum(span.next_sequence - span.first_sequence for span in spans) == len(frames)
    for _, kind, payload in frames:
        fuzz_record(bytes([kind % 256]) + payload)


def fuzz_tail_header(data: bytes) -> None:
    """One that is read is one that was written."""
    checked = data[:36] + struct.pack("<I", zlib.crc32(data[:36]))
    for raw in (data, checked):
        header = parse_tail_header(raw)
        if header is not None and header.version == 1 and not raw[10] | raw[11]:
            assert tail_header(header.log_uuid, header.first_sequence) == raw[:40]


def fuzz_block(data: bytes) -> None:
    """Anything behind a block's right checksum; and frames that are compressed, but are not what the block says."""
    for compressed, length in ((data, len(data)), (zstandard.compress(data), len(data))):
        raw = block(compressed, data[0] if data else 0, length, 7)
        try:
            frames = unpack_block(parse_stored(block_key(7), raw, HERE, 0))
        except LogDamaged:
            continue
        assert len(frames) == (data[0] if data else 0)
    try:
        parse_stored(block_key(7), data, HERE, 0)
    except LogDamaged:
        pass


def fuzz_record(data: bytes) -> None:
    """What decodes can be encoded, and is then the same."""
    if not data:
        return
    kind, payload = data[0] % (len(RECORD_TYPES) + 2), data[1:]
    try:
        record = decode(kind, payload)
    except Undecodable:
        return
    if record is not None:
        written = encode(record)
        again = decode(kind, written)
        assert again is not None
        assert encode(again) == written


def fuzz_rows(data: bytes) -> None:
    """Rows of a known shape, twice with one decoder: the second may take the short way, and must come out the same."""
    decoder = RowDecoder(SHAPES.get)
    found: List[Row] = []
    for _ in range(2):
        try:
            found.append(decoder.decode(data))
        except Undecodable:
            assert not found, "a row that could be decoded can't be decoded again"
    assert len(found) != 1
    if found:
        assert repr(found[0].values) == repr(found[1].values)


TARGETS: List[Callable[[bytes], None]] = [fuzz_frames, fuzz_tail_header, fuzz_block, fuzz_record, fuzz_rows]


def one_input(data: bytes) -> None:
    """The first byte chooses what the others are given to."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def _sealed(kind: int, sequence: int, payload: bytes) -> bytes:
    frame = bytearray(FRAME_HEADER.size) + payload
    seal_frame(frame, kind, sequence)
    return bytes(frame)


def corpus() -> List[bytes]:
    """Valid inputs for every target, from which a fuzzer starts."""
    records = [record_type() for record_type in RECORD_TYPES.values()]
    row = Row(1, 5, 1.5, 2, [0.5], [3, 1], '{"text": "x"}')
    records.append(row)
    payloads = [encode(record) for record in records]
    frames = b"".join(_sealed(one.kind, 7 + at, raw) for at, (one, raw) in enumerate(zip(records, payloads)))
    inputs = [bytes([0]) + frames, bytes([1]) + tail_header(bytes(16), 7), bytes([2, len(records)]) + frames]
    inputs += [bytes([3, one.kind]) + raw for one, raw in zip(records, payloads)]
    inputs += [bytes([4]) + encode(Row(1, 5, 1.5, 2, [0.5], [3, 1], json)) for json in (None, '{"text": "x"}')]
    return inputs


def mutations(count: int, seed: int) -> None:
    """The short form: the corpus, and so many changed copies of it. Raises whatever is wrong."""
    rng, inputs = random.Random(seed), corpus()
    for one in inputs:
        one_input(one)
    for _ in range(count):
        changed = bytearray(rng.choice(inputs))
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(1, len(changed))
            changed[place : place + rng.randrange(2)] = rng.choice((b"", b"\0", b"\xff", rng.randbytes(4)))
            if len(changed) < 2:
                break
        one_input(bytes(changed))


# --- the campaign -----------------------------------------------------------------------------------------------------


# The package is imported under atheris' eyes, which is how it sees what an input reaches.
_GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["wandb_storage"]):
    import fuzz
atheris.Setup(sys.argv, fuzz.one_input)
atheris.Fuzz()
"""


def campaign(seconds: int, seed: int, scratch: Path) -> Tuple[int, str]:
    """How many inputs were tried, and what was wrong."""
    inputs = scratch / "corpus"
    inputs.mkdir()
    for number, one in enumerate(corpus()):
        (inputs / str(number)).write_bytes(one)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={INPUT_BYTES_MAX}"]
    options += ["-timeout=20", "-rss_limit_mb=2048"]
    command = [sys.executable, "-c", _GUIDED, *options, f"-artifact_prefix={scratch}/", str(inputs)]
    folder = Path(__file__).parent
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=folder)
    runs = re.search(r"Done (\d+) runs", done.stderr)
    if done.returncode or runs is None:
        kept = [path.read_bytes().hex() for path in scratch.iterdir() if path.is_file()]
        return 0, f"inputs {kept}: {(done.stdout + done.stderr)[-3000:]}"
    return int(runs[1]), ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"fuzzing: skipped: no atheris for this Python ({version}; pip install atheris, where it has a wheel)")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        runs, wrong = campaign(arguments.seconds, arguments.seed, Path(scratch))
    print(
        f"fuzzing: {runs:,} inputs for frames, tail headers, blocks, records and rows, guided by coverage, seed "
        f"{arguments.seed}, {arguments.seconds} s: {'WRONG: ' + wrong if wrong else '0 crashes or wrong records'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
