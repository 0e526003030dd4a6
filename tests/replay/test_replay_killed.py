"""A run whose process was killed, or still lives: every row that was logged is told, and the log stays as it is."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from written_runs import COMMIT, START_TIME, content, run_folder, start, write_damaged, write_run, writer

from wandb.replay import Replay, replay
from wandb_storage import Exit, Log, LogDamaged, recover


@pytest.mark.parametrize("rows", [1, 7, 400, 3000])
def test_every_row_of_a_killed_writer_is_told(tmp_path: Path, rows: int) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        child.read_count(rows)
        counted = child.kill()
        before = content(folder)
        run = replay(folder)
        told = [row["count"] for row in run.history()]
    # Between a row's append and its count on the pipe the process may have died.
    assert told in (list(range(counted)), list(range(counted + 1)))
    assert run.rows == len(told)
    assert run.state == "crashed"
    assert f"process {child.pid} on" in run.ended.evidence
    assert "was not closed" in run.ended.evidence
    assert content(folder) == before


def test_a_writer_killed_before_its_first_row_is_told(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder, stop=0) as child:
        while b"\0" not in b"".join(path.read_bytes() for path in folder.glob("*.tail-0")):
            pass  # until the log's first record is there
        child.kill()
        run = replay(folder)
    assert (run.state, run.rows, list(run.history())) == ("crashed", 0, [])
    assert "crashed" in run.story()


def test_a_recovered_log_tells_the_evidence_that_was_recorded(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        child.read_count(20)
        child.kill()
    recovered = recover(folder)
    assert recovered.writer_lost is not None
    run = replay(folder)
    assert run.state == "crashed"
    assert run.ended.evidence == recovered.writer_lost.evidence
    assert run.rows in (child.counted, child.counted + 1)


def test_a_live_run_is_told_while_it_logs(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        for rows in (5, 200, 1000):
            counted = child.read_count(rows)
            run = replay(folder)
            assert run.state == "running"
            assert run.ended.evidence == f"process {child.pid} on {run.start.host} holds the log open"
            assert [row["count"] for row in run.pinned().history()] == list(range(run.rows))
            assert run.rows >= counted
        assert child.read_count(counted + 100) > counted, "the writer goes on"


def test_a_record_cut_off_in_the_middle_is_counted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder, stop=10) as child:
        child.read_count(10)
        child.kill()
    tail = max(folder.glob("*.tail-*"), key=lambda path: path.stat().st_size)
    tail.write_bytes(tail.read_bytes() + b"half a frame")
    run = replay(folder)
    assert run.rows == 10
    assert "cut off in the middle: 12 B" in run.story()


def test_a_row_still_being_put_together_is_the_last_one(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    log = Log.create(folder, "abc12345")
    log.append(start())
    log.append_row({"a": 1}, 0, START_TIME, COMMIT)
    log.append_row({"b": 2}, 1, START_TIME, 0)
    log.append_row({"c": 3}, 1, START_TIME, 0)
    log.flush()
    rows = list(Replay(folder).history())
    assert [{key: row[key] for key in row if len(key) == 1} for row in rows] == [{"a": 1}, {"b": 2, "c": 3}]
    assert Replay(folder).rows == 2
    log.close()


def test_a_log_closed_without_a_word_is_not_called_a_crash(tmp_path: Path) -> None:
    run = Replay(write_run(run_folder(tmp_path), [{"a": 1}]))
    assert run.state == "unknown"
    assert "closed in order" in run.ended.evidence


def test_a_run_from_another_machine_is_not_judged(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder, stop=3) as child:
        child.read_count(3)
        child.kill()
    run = Replay(folder)
    run.scan().sessions[-1].start.host = "elsewhere"
    assert run.state == "unknown"
    assert "elsewhere" in run.ended.evidence


def test_how_a_program_ended_is_told_from_its_own_words(tmp_path: Path) -> None:
    finished = Replay(write_run(run_folder(tmp_path, "one"), [{"a": 1}], Exit(code=0), run_id="one"))
    failed = Replay(write_run(run_folder(tmp_path, "two"), [{"a": 1}], Exit(code=3), run_id="two"))
    exit = Exit(code=1, exception="ValueError", message="no [bold]data[/bold]\x1b[2J")
    raised = Replay(write_run(run_folder(tmp_path, "three"), [{"a": 1}], exit, run_id="three"))
    assert (finished.state, finished.ended.exit_code) == ("finished", 0)
    assert (failed.state, failed.ended.exit_code) == ("failed", 3)
    assert (raised.state, raised.ended.exception) == ("failed", "ValueError")
    assert "ValueError: no [bold]data[/bold]\\x1b[2J" in raised.story(120), "and a terminal isn't told what to do"


def test_sessions_are_told_one_by_one(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder, stop=5) as child:
        child.read_count(5)
        child.kill()
    with Log.open(folder) as log:
        log.append(start(resumed=True, first_step=5))
        for step in range(5, 8):
            log.append_row({"loss": 0.1}, step, START_TIME + 100, COMMIT)
        log.append(Exit(code=0, time=START_TIME + 101))
    run = Replay(folder)
    assert [session.rows for session in run.sessions] == [5, 3]
    assert [session.writer_lost is not None for session in run.sessions] == [True, False]
    assert (run.state, run.rows) == ("finished", 8)
    story = run.story()
    assert "5 rows: crashed" in story
    assert "from step 5, process 4711, 3 rows: exit code 0" in story


def test_damage_ends_the_story_and_is_named(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    path = write_damaged(folder)
    run = Replay(folder)
    assert run.damage is not None
    assert run.damage.path == path
    history = iter(run.history())
    assert [row["a"] for row in itertools.islice(history, 100)] == list(range(100))
    with pytest.raises(LogDamaged, match="from record 103 on"):
        next(history)
    assert run.state == "unknown"
    assert str(path) in run.story(400)
