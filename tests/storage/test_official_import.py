"""Logs made of the official client's files. Files by the client itself are in tests/server/test_official_runs.py."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import official_files as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wandb_storage import (
    Alert,
    Console,
    ForeignFile,
    Log,
    LogDamaged,
    LogInUse,
    LogNotFound,
    NewerFormat,
    OfficialImport,
    Reader,
    Record,
    RunState,
    Shape,
    SummaryChange,
    find_import,
    import_official,
    official_folder,
    verify,
)

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fold(found: OfficialImport) -> Tuple[RunState, List[Dict[str, Any]], List[Record]]:
    """What a log adds up to, its rows, and its records."""
    state = RunState()
    rows: List[Dict[str, Any]] = []
    records: List[Record] = []
    with Reader(found.folder) as reader:
        for entry in reader.entries():
            assert entry.record is not None
            rows.extend(state.apply(entry.record).rows)
            records.append(entry.record)
    return state, rows, records


def brought(home: Path, *records: bytes) -> Tuple[RunState, List[Dict[str, Any]], List[Record]]:
    """The import of a run that ends well, with these records in its middle."""
    found = import_official(official.write_official(home, [official.run(), *records, official.exit_record(0)]))
    assert found.whole
    return fold(found)


# --- what becomes of the records --------------------------------------------------------------------------------------


def test_rows_come_over_with_their_steps_times_and_values(tmp_path: Path) -> None:
    first = {
        "loss": 0.5,
        "count": 2**70,
        "text": "é",
        "on": True,
        "none": None,
        ("deep", "x"): 1,
        ("deep", "y", "z"): [1],
    }
    _, rows, _ = brought(
        tmp_path, official.row(0, first), official.row(7, {"loss": math.inf}), official.row(8, {"loss": math.nan})
    )
    assert rows[0] == {
        "loss": 0.5, "count": 2**70, "text": "é", "on": True, "none": None, "deep": {"x": 1, "y": {"z": [1]}},
        "_step": 0, "_timestamp": float(official.TIME), "_runtime": 0.0,
    }  # fmt: skip
    assert (rows[1]["_step"], rows[1]["loss"], rows[1]["_runtime"]) == (7, math.inf, 7.0)
    assert math.isnan(rows[2]["loss"])


def test_values_that_are_not_written_as_json_come_over(tmp_path: Path) -> None:
    typed = [
        official.message((2, "none"), (3, 0)), official.message((2, "yes"), (4, 1)),
        official.message((2, "minus"), (5, 5)), official.message((2, "float"), (6, 0.25)),
        official.message((2, "text"), (7, "words")), official.message((2, "json"), (8, "[1, 2]")),
    ]  # fmt: skip
    row = official.record(official.HISTORY, *((1, one) for one in typed), (1, official.item("_step", 0)))
    _, rows, _ = brought(tmp_path, row)
    assert {key: value for key, value in rows[0].items() if key[0] != "_"} == {
        "none": None, "yes": True, "minus": -3, "float": 0.25, "text": "words", "json": [1, 2],
    }  # fmt: skip


def test_rows_of_the_same_keys_in_any_order_share_a_shape(tmp_path: Path) -> None:
    orders = [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")]
    _, rows, records = brought(
        tmp_path, *(official.row(step, dict.fromkeys(order, 0.5)) for step, order in enumerate(orders))
    )
    assert [list(row)[:3] for row in rows] == [["a", "b", "c"]] * 3
    assert sum(isinstance(record, Shape) for record in records) == 1


def test_a_summary_that_follows_from_the_rows_is_not_written_again(tmp_path: Path) -> None:
    rows = []
    for step in range(20):
        values = {"loss": 1 / (step + 1), ("deep", "x"): step}
        rows.append(official.summary({**values, "_step": step, "_timestamp": official.TIME + step}))
        rows.append(official.row(step, values))
    state, _, records = brought(tmp_path, *rows)
    assert state.summary["loss"] == 1 / 20
    assert not any(isinstance(record, SummaryChange) for record in records)


def test_what_the_user_set_in_the_summary_comes_over_in_its_place(tmp_path: Path) -> None:
    state, _, _ = brought(
        tmp_path,
        official.summary({"loss": 99, "best": 1}),
        official.summary({"loss": 0.5, "_step": 0}),
        official.row(0, {"loss": 0.5, "acc": 1}),
        official.summary({"acc": 2, "nested": {"k": 1}, ("a", "b"): {"c": 1, "d": 2}}),
        official.summary({("nested", "more"): 3}, removed=["best", ("a", "b", "c")]),
    )
    ours = {key: value for key, value in state.summary.items() if key[0] != "_"}
    assert ours == {"loss": 0.5, "acc": 2, "nested": {"k": 1, "more": 3}, "a": {"b": {"d": 2}}}


def test_a_summary_whose_row_is_lost_does_not_undo_the_next(tmp_path: Path) -> None:
    lost = official.summary({"loss": 0.5, "acc": 1, "_step": 0})
    state, _, _ = brought(tmp_path, lost, official.row(1, {"loss": 0.25}))
    assert (state.summary["loss"], state.summary["acc"]) == (0.25, 1)


def test_a_summary_that_says_more_than_its_row_counts(tmp_path: Path) -> None:
    state, _, _ = brought(
        tmp_path,
        official.summary({"loss": 0.5, "acc": {"mean": 0.75}, "_step": 0}),
        official.row(0, {"loss": 0.5, "acc": 0.5}),
        official.summary({"loss": 0.125, "_step": 1}),
    )
    assert (state.summary["loss"], state.summary["acc"]) == (0.125, {"mean": 0.75})


def test_aggregates_of_metrics_are_those_of_the_definition(tmp_path: Path) -> None:
    defined = official.record(
        official.METRIC,
        (2, "val/*"),
        (4, "epoch"),
        (6, official.message((1, 1))),
        (7, official.message((1, 1), (2, 1))),
    )
    expanded = official.record(official.METRIC, (1, "val/x"), (7, official.message((5, 1))), (10, 1))
    state, rows, _ = brought(
        tmp_path, defined, expanded, official.row(0, {"epoch": 0, "val/x": 3}), official.row(1, {"val/x": 1})
    )
    assert state.summary["val/x"] == {"min": 1, "max": 3}
    assert rows[1]["epoch"] == 0
    assert list(state.metrics.definitions) == ["val/*"]


def test_config_labels_and_telemetry_come_over(tmp_path: Path) -> None:
    config = {"lr": 0.1, "_wandb": {"t": 1}, "nested": {"a": 1}}
    records = [
        official.run(name="first", notes="n", group="g", job_type="train", project="p", config=config),
        official.record(official.CONFIG, (1, official.item(("nested", "b"), 2)), (2, official.message((1, "lr")))),
        official.record(official.TELEMETRY, (3, official.message((4, 1), (2, 1))), (5, "0.31.0")),
        official.run(name="second", tags=["t", "u"], config={"late": 5}),
        official.exit_record(3),
    ]
    found = import_official(official.write_official(tmp_path, records))
    state, _, _ = fold(found)
    assert state.config == {"nested": {"a": 1, "b": 2}, "late": 5}
    start = state.start
    assert (start.project, start.name, start.notes, start.group, start.job_type) == ("p", "second", "n", "g", "train")
    assert (start.tags, start.host, start.time, start.version) == (["t", "u"], "gpu-3", official.TIME, "0.31.0")
    assert state.telemetry["3"] == [4, 2]
    assert (state.status, state.exit and state.exit.code) == ("failed", 3)


def test_console_alerts_files_and_samples_come_over(tmp_path: Path) -> None:
    stamp = official.timestamp(official.TIME + 2)
    sample = official.message((1, "cpu"), (16, "12.5"))
    state, _, records = brought(
        tmp_path,
        official.record(official.OUTPUT_RAW, (1, 1), (2, stamp), (3, "out\n")),
        official.record(official.OUTPUT_RAW, (2, stamp), (3, "err\n")),
        official.record(official.ALERT, (1, "title"), (2, "text"), (3, "WARN"), (4, 300_000)),
        official.record(
            official.FILES, (1, official.message((1, "a.txt"), (2, 2))), (1, official.message((1, "b.txt")))
        ),
        official.record(official.STATS, (2, stamp), (3, sample)),
        official.record(official.PREEMPTING),
    )
    written = [(record.stream, record.text) for record in records if isinstance(record, Console)]
    assert written == [(0, "out\n"), (1, "err\n")]
    assert state.alerts == [Alert("title", "text", "WARN", 300.0, official.TIME + 2)]
    assert state.files == {"a.txt": "live", "b.txt": "now"}
    assert (state.system_rows, state.preempting) == (1, True)


def test_the_environment_becomes_the_metadata(tmp_path: Path) -> None:
    machine = official.record(official.ENVIRONMENT, (16, 8), (18, "H200"))
    program = official.record(official.ENVIRONMENT, (1, "Linux"), (5, "--fast"), (6, "train.py"))
    state, _, _ = brought(tmp_path, program, machine)
    assert state.start.program == "train.py"
    assert '"gpu": "H200"' in state.start.environment
    assert '"args": ["--fast"]' in state.start.environment


def test_an_environment_that_is_known_late_comes_over_too(tmp_path: Path) -> None:
    rows = [official.row(step, {"loss": 1}) for step in range(1001)]
    state, _, _ = brought(tmp_path, *rows, official.record(official.ENVIRONMENT, (18, "H200")))
    assert json.loads(state.start.environment) == {"gpu": "H200"}


def test_a_summary_behind_the_exit_still_counts(tmp_path: Path) -> None:
    records = [official.run(), official.row(0, {"loss": 1}), official.exit_record(0), official.summary({"best": 2})]
    state, _, _ = fold(import_official(official.write_official(tmp_path, records)))
    assert state.summary["best"] == 2
    assert state.status == "finished"


def test_a_run_without_an_exit_has_crashed_and_says_how_that_is_known(tmp_path: Path) -> None:
    found = import_official(official.write_official(tmp_path, [official.run(), official.row(0, {"loss": 1})]))
    state, _, _ = fold(found)
    assert not found.kept.ended
    assert state.status == "crashed"
    assert state.writer_lost is not None
    assert "ends without a word" in state.writer_lost.evidence


def test_records_of_kinds_that_nobody_knows_are_counted(tmp_path: Path) -> None:
    found = import_official(official.write_official(tmp_path, [official.run(), official.record(77, (1, 1))]))
    assert found.kept.unknown == 1
    assert not found.whole


# --- damage -----------------------------------------------------------------------------------------------------------


def long_run(rows: int = 200) -> List[bytes]:
    return [
        official.run(),
        *(official.row(step, {"loss": 1 / (step + 1)}) for step in range(rows)),
        official.exit_record(0),
    ]


def steps(found: OfficialImport) -> List[int]:
    return [row["_step"] for row in fold(found)[1]]


def test_a_record_over_several_blocks_comes_over(tmp_path: Path) -> None:
    _, rows, _ = brought(tmp_path, official.row(0, {"text": "x" * 100_000}), official.row(1, {"loss": 1}))
    assert len(rows[0]["text"]) == 100_000
    assert rows[1]["loss"] == 1


def test_a_damaged_payload_costs_one_record(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run())
    path = folder / "run-abc12345.wandb"
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"loss", 5000)] ^= 1
    path.write_bytes(raw)
    found = import_official(folder)
    assert len(steps(found)) == 199
    assert found.damage.bytes
    assert not found.damage.blocks
    assert fold(found)[0].status == "finished"


def test_a_damaged_length_costs_the_rest_of_its_block(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(600))
    path = folder / "run-abc12345.wandb"
    raw = bytearray(path.read_bytes())
    raw[7 + 4] ^= 0xFF  # of the first chunk, which holds who the run is
    path.write_bytes(raw)
    found = import_official(folder)
    assert found.damage.blocks == 1
    last = steps(found)
    assert 0 < len(last) < 600
    assert last[-1] == 599
    assert fold(found)[0].start.run_id == "abc12345"


def test_zeros_that_were_never_written_are_no_damage(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(3))
    with open(folder / "run-abc12345.wandb", "ab") as file:
        file.write(bytes(100_000))
    assert import_official(folder).whole


@quick
@given(st.data())
def test_a_file_cut_off_anywhere_gives_the_rows_before(data: st.DataObject) -> None:
    raw = official.frames(long_run(300))
    size = data.draw(st.integers(0, len(raw)) | st.integers(0, 20))
    with tempfile.TemporaryDirectory() as home:
        folder = official.write_official(Path(home), [])
        (folder / "run-abc12345.wandb").write_bytes(raw[:size])
        try:
            found = import_official(folder)
        except (LogDamaged, LogNotFound):
            assert size < 200
            return
        there = steps(found)
        assert there == list(range(len(there)))
        assert len(there) >= 300 * size // len(raw) - 10


@quick
@given(st.lists(st.tuples(st.integers(7, 20_000), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bytes_lose_rows_and_change_none(flips: List[Tuple[int, int]]) -> None:
    raw = bytearray(official.frames(long_run(150)))
    for at, mask in flips:
        raw[at % (len(raw) - 7) + 7] ^= mask
    with tempfile.TemporaryDirectory() as home:
        folder = official.write_official(Path(home), [])
        (folder / "run-abc12345.wandb").write_bytes(raw)
        try:
            _, rows, _ = fold(import_official(folder))
        except LogDamaged:
            return
        numbers = [row["_step"] for row in rows]
        assert numbers == sorted(set(numbers))
        assert all(row["loss"] == 1 / (row["_step"] + 1) for row in rows)


bodies = st.binary(max_size=60) | st.recursive(
    st.binary(max_size=20),
    lambda inner: st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 10, 16, 17, 19]), inner | st.integers(0, 2**64 - 1)), max_size=4
    ).map(lambda fields: official.message(*fields)),
    max_leaves=6,
)
kinds = st.sampled_from([*range(2, 14), 17, 18, 23, 25, 26, 27])


@quick
@given(st.lists(st.tuples(kinds, bodies), max_size=12), st.binary(max_size=200))
def test_records_that_make_no_sense_are_counted_and_never_raise(records: List[Tuple[int, bytes]], end: bytes) -> None:
    framed = official.frames([official.run(), *(official.message((1, 1), (kind, body)) for kind, body in records), end])
    with tempfile.TemporaryDirectory() as home:
        folder = official.write_official(Path(home), [])
        (folder / "run-abc12345.wandb").write_bytes(framed + end)
        found = import_official(folder)
        assert fold(found)[0].start.host == "gpu-3"
        assert verify(found.folder).severity == 0


def test_json_that_is_too_deep_or_too_long_is_left_out(tmp_path: Path) -> None:
    deep = official.message((2, "deep"), (16, "[" * 100_000))
    digits = official.message((2, "digits"), (16, "9" * 10_000))
    row = official.record(official.HISTORY, (1, deep), (1, digits), (1, official.item("_step", 0)))
    found = import_official(official.write_official(tmp_path, [official.run(), row, official.row(1, {"loss": 1})]))
    assert found.kept.unreadable == 2
    assert steps(found) == [0, 1]


def test_a_record_above_the_limit_is_passed_over(tmp_path: Path) -> None:
    large = official.row(0, {"text": "x" * (17 << 20)})
    found = import_official(official.write_official(tmp_path, [official.run(), large, official.row(1, {"loss": 1})]))
    assert found.damage.too_large == 1
    assert steps(found) == [1]


def test_a_file_without_a_record_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, [])
    with pytest.raises(LogDamaged, match="no record"):
        import_official(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_later_version_of_the_format_is_an_error(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, [])
    (folder / "run-abc12345.wandb").write_bytes(official.HEADER[:-1] + b"\1" + bytes(20))
    with pytest.raises(NewerFormat, match="not known"):
        import_official(folder)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_an_official_file_is_told_from_a_log_of_ours(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, [official.run()])
    with pytest.raises(ForeignFile, match=r"official client; `wandb sync FOLDER`"):
        Reader(folder)
    with Log.create(tmp_path, "abc12345"):
        pass
    with pytest.raises(LogNotFound, match="of the official client"):
        import_official(tmp_path)


def test_a_second_import_finds_the_first_and_the_official_folder_is_as_it_was(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(5))
    (folder / "files" / "a.txt").write_text("a")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    found = import_official(folder)
    again = import_official(folder)
    assert (again.repeated, again.folder, again.kept, again.files) == (True, found.folder, found.kept, 1)
    assert (find_import(folder), official_folder(found.folder)) == (found.folder, folder)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before
    assert len(list(folder.parent.iterdir())) == 2


def test_a_file_that_has_grown_is_imported_in_the_place_of_the_first(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(5)[:-1])
    assert fold(import_official(folder))[0].status == "crashed"
    (folder / "run-abc12345.wandb").write_bytes(official.frames(long_run(9)))
    found = import_official(folder)
    assert (found.repeated, steps(found)) == (False, list(range(9)))
    assert fold(found)[0].status == "finished"


def test_an_import_that_was_gone_on_with_is_not_replaced(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(5)[:-1])
    found = import_official(folder)
    with Log.open(found.folder) as log:
        log.append_row({"loss": 0.0}, 5, official.TIME + 9.0, 2)
    assert import_official(folder).repeated
    (folder / "run-abc12345.wandb").write_bytes(official.frames(long_run(9)))
    with pytest.raises(LogInUse, match="gone on with"):
        import_official(folder)
    assert steps(found) == list(range(6))


def test_something_else_in_the_place_of_an_import_is_left_alone(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(5))
    other = folder.with_name(f"{folder.name}.imported")
    other.mkdir()
    with pytest.raises(ForeignFile, match="move it away"):
        import_official(folder)
    assert list(other.iterdir()) == []


def test_a_folder_of_an_online_run_becomes_an_offline_one(tmp_path: Path) -> None:
    folder = official.write_official(tmp_path, long_run(1), name="run-20260105_120000-abc12345")
    found = import_official(folder)
    assert found.folder.name == "offline-run-20260105_120000-abc12345.imported"
    assert official_folder(found.folder) == folder


def test_files_come_over_but_no_link_that_leaves_the_project(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "secret.txt"
    project.mkdir()
    outside.write_text("secret")
    (project / "data.txt").write_text("data")
    folder = official.write_official(project, long_run(1))
    files = folder / "files"
    (files / "media").mkdir()
    (files / "media" / "a.json").write_text("{}")
    (files / "run-x.owner").write_text("")
    os.symlink(project / "data.txt", files / "data.txt")
    os.symlink(outside, files / "secret.txt")
    os.symlink(tmp_path, files / "folder")
    os.symlink("loop", files / "loop")
    os.mkfifo(files / "pipe")
    found = import_official(folder)
    there = found.folder / "files"
    assert sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()) == [
        "data.txt",
        "media/a.json",
    ]
    assert not (there / "data.txt").is_symlink()
    assert (found.files, set(found.files_left_out)) == (2, {"secret.txt", "loop", "run-x.owner"})
    assert "outside of" in found.files_left_out["secret.txt"]
