"""The uploader process: whom it serves, how long it lives, and that there is one of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest
from logged_runs import check_same, end, finished_run, log_rows, new_folder, start_log, wait_until
from w_b_server import KEY, Fault, WBServer

from wandb_storage import Log, RunStart
from wandb_uploader import UploaderRunning, start, status, upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import FileLock, Home, lock_holder
from wandb_uploader._service import Service
from wandb_uploader._spawn import python_command


@contextlib.contextmanager
def serving(service: Service) -> Iterator[threading.Thread]:
    """A service in a thread of this process."""
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield thread
    finally:
        service.stop()
        thread.join(20)
        assert not thread.is_alive()


def new_service(wandb_dir: Path, server: WBServer, **options: Any) -> Service:
    return Service(Home(wandb_dir, server.url), Destination(server.url), idle_seconds=0.1, **options)


def completed(server: WBServer, *names: str) -> bool:
    return all(name in server.runs and server.runs[name].completions for name in names)


def holder(wandb_dir: Path, server: WBServer) -> Optional[Dict[str, Any]]:
    return lock_holder(Home(wandb_dir, server.url).lock_path)


# --- whom it serves ---------------------------------------------------------------------------------------------------


def test_it_uploads_all_runs_and_leaves(server: WBServer, wandb_dir: Path) -> None:
    folders = {name: finished_run(wandb_dir, server.url, rows=100, run_id=name) for name in map(str, range(12))}
    new_service(wandb_dir, server).run()
    for name, folder in folders.items():
        check_same(server.runs[name], folder)
    assert all(one.done for one in status(wandb_dir))
    assert holder(wandb_dir, server) is None


def test_it_takes_on_runs_while_it_works_and_stays_while_one_is_written(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    with serving(new_service(wandb_dir, server)) as thread:
        wait_until(lambda: "r1" in server.runs)
        log_rows(log, 7)
        log.flush()
        wait_until(lambda: len(server.runs["r1"].rows()) == 7)
        second = finished_run(wandb_dir, server.url, run_id="r2")
        wait_until(lambda: completed(server, "r2"))
        assert thread.is_alive()
        end(log)
        thread.join(20)
        assert not thread.is_alive()
    check_same(server.runs["r1"], folder)
    check_same(server.runs["r2"], second)


def test_runs_of_other_servers_and_offline_runs_are_left_alone(server: WBServer, wandb_dir: Path) -> None:
    finished_run(wandb_dir, "http://127.0.0.1:1", run_id="other")
    offline = new_folder(wandb_dir, "off", prefix="offline-run")
    end(start_log(offline, server.url, "off"))
    (wandb_dir / "run-20260101_000000-empty").mkdir()
    (wandb_dir / "run-20260101_000000-file").write_text("")
    finished_run(wandb_dir, server.url.upper().replace("HTTP", "http") + "/", run_id="mine")
    new_service(wandb_dir, server).run()
    assert set(server.runs) == {"mine"}


def test_a_killed_run_is_recovered_and_ends_as_failed(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    code = (
        "import sys, time, json; from pathlib import Path; from wandb_storage import *\n"
        "log = Log.create(Path(sys.argv[1]), 'r1')\n"
        "log.append(RunStart(run_id='r1', project='p', time=1000.0, settings=json.dumps({'base_url': sys.argv[2]})))\n"
        "for step in range(500): log.append_row({'x': step}, step, 1000.0, 2)\n"
        "print('.', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder), server.url], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    new_service(wandb_dir, server).run()
    check_same(server.runs["r1"], folder)
    assert len(server.runs["r1"].rows()) == 500
    assert server.runs["r1"].exit_code == 1


def test_a_finished_run_that_goes_on_is_noticed(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url)
    living = new_folder(wandb_dir, "living")
    with start_log(living, server.url, "living"), serving(new_service(wandb_dir, server)):
        wait_until(lambda: completed(server, "r1"))
        log = Log.open(folder)
        log.append(RunStart(run_id="r1", project="p", time=5000.0, resumed=True, first_step=10))
        log_rows(log, 5, first=10)
        end(log)
        wait_until(lambda: server.runs["r1"].completions >= 2)
    check_same(server.runs["r1"], folder)


def test_a_run_that_the_server_refuses_does_not_hold_up_the_others(server: WBServer, wandb_dir: Path) -> None:
    finished_run(wandb_dir, server.url, run_id="bad")
    good = finished_run(wandb_dir, server.url, run_id="good")
    server.fault = lambda request: Fault(status=404, body=b"gone") if "/bad/" in request.path else None
    new_service(wandb_dir, server).run()
    check_same(server.runs["good"], good)
    (parked,) = [one for one in status(wandb_dir) if one.parked_reason]
    assert (parked.run_id, "gone" in parked.parked_reason) == ("bad", True)


def test_a_run_that_the_server_chokes_on_does_not_hold_up_the_others(server: WBServer, wandb_dir: Path) -> None:
    bad = finished_run(wandb_dir, server.url, run_id="bad")
    finished_run(wandb_dir, server.url, run_id="good")
    server.fault = lambda request: Fault(status=500) if "/bad/" in request.path else None
    with serving(new_service(wandb_dir, server)) as thread:
        wait_until(lambda: completed(server, "good"))
        assert thread.is_alive()
        server.fault = lambda request: None
        wait_until(lambda: completed(server, "bad"))
    check_same(server.runs["bad"], bad)


def test_a_refused_key_pauses_until_there_is_another(
    server: WBServer, wandb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "o" * 40)
    folder = finished_run(wandb_dir, server.url)
    finished_run(wandb_dir, server.url, run_id="r2")
    fast = Destination(server.url, clock=lambda: time.monotonic() * 20)  # two seconds are 0.1 s
    with serving(Service(Home(wandb_dir, server.url), fast, idle_seconds=0.1)):
        wait_until(lambda: bool(fast.paused))
        asked = len(server.requests)
        time.sleep(0.05)
        assert len(server.requests) <= asked + 1, "nobody is asked with a key that was refused"
        assert any("wandb login" in one.last_error for one in status(wandb_dir))
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {KEY}\n")
        wait_until(lambda: completed(server, "r1", "r2"))
    check_same(server.runs["r1"], folder)
    log = Home(wandb_dir, server.url).log_path
    assert not log.exists() or KEY not in log.read_text()


def test_the_foreground_shows_the_progress_of_the_process(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 5)
    log.flush()
    with serving(new_service(wandb_dir, server)):
        wait_until(lambda: "r1" in server.runs and len(server.runs["r1"].rows()) == 5)
        wait_until(lambda: status(wandb_dir)[0].rows_acked == 5)
        assert upload(folder, server.url).rows == 5, "without follow it doesn't wait for the writer"
        end(log)
        assert upload(folder, server.url, follow=True).done
    assert server.runs["r1"].completions == 1


# --- one of it --------------------------------------------------------------------------------------------------------


def test_a_second_one_names_the_first(server: WBServer, wandb_dir: Path) -> None:
    with start_log(new_folder(wandb_dir), server.url), serving(new_service(wandb_dir, server)):
        wait_until(lambda: bool(holder(wandb_dir, server)))
        with pytest.raises(UploaderRunning, match=f"process {os.getpid()} on "):
            new_service(wandb_dir, server).run()
        second = command("run", wandb_dir, server)
        assert second.returncode == 0
        assert f"process {os.getpid()} on" in second.stderr


def test_a_run_that_is_made_while_it_leaves_is_not_missed(server: WBServer, wandb_dir: Path) -> None:
    made: List[Path] = []

    def make_a_run() -> None:
        if not made:
            made.append(finished_run(wandb_dir, server.url, run_id="late"))

    finished_run(wandb_dir, server.url)
    new_service(wandb_dir, server, before_last_look=make_a_run).run()
    check_same(server.runs["late"], made[0])


def test_a_run_that_begins_while_it_leaves_keeps_it(server: WBServer, wandb_dir: Path) -> None:
    logs: List[Log] = []

    def begin() -> None:
        if not logs:
            logs.append(start_log(new_folder(wandb_dir), server.url))

    with serving(new_service(wandb_dir, server, before_last_look=begin)) as thread:
        wait_until(lambda: "r1" in server.runs)
        assert thread.is_alive()
        assert holder(wandb_dir, server)
        end(logs[0])
        thread.join(20)
        assert not thread.is_alive()
    assert completed(server, "r1")


def test_it_leaves_the_late_run_to_a_younger_uploader(server: WBServer, wandb_dir: Path) -> None:
    younger = FileLock(Home(wandb_dir, server.url).lock_path)

    def take_over() -> None:
        finished_run(wandb_dir, server.url, run_id="late")
        younger.acquire()

    new_service(wandb_dir, server, before_last_look=take_over).run()
    assert "late" not in server.runs
    assert younger.held
    younger.release()


# --- as a process -----------------------------------------------------------------------------------------------------


def command(name: str, wandb_dir: Path, server: WBServer, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python_command(), name, "--dir", str(wandb_dir), "--url", server.url, *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_leaves_when_its_folder_is_removed_or_moved_away(wandb_dir: Path) -> None:
    """Otherwise it would try to reach a server that is away for ever."""
    url = "http://127.0.0.1:1"
    finished_run(wandb_dir, url)
    home = Home(wandb_dir, url)
    with serving(Service(home, Destination(url))) as thread:
        wait_until(lambda: lock_holder(home.lock_path) is not None)
        wandb_dir.rename(wandb_dir.with_name("moved"))
        thread.join(20)
        assert not thread.is_alive()
    assert not wandb_dir.exists()


def test_it_is_started_as_nobodys_child_and_outlives_its_starter(
    server: WBServer, wandb_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('this is not the queue module')")
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    starter = (
        "import sys; sys.path.remove('')\n"
        f"import wandb_uploader, pathlib; wandb_uploader.start(pathlib.Path('wandb'), {server.url!r})"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", starter], cwd=tmp_path, check=True, timeout=60)
    wait_until(lambda: bool((holder(wandb_dir, server) or {}).get("pid")))
    pid = (holder(wandb_dir, server) or {})["pid"]
    shown = subprocess.run(["ps", "-o", "ppid=,args=", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert int(shown.stdout.split()[0]) != os.getpid()
    assert KEY not in shown.stdout
    assert os.getsid(pid) != os.getsid(0)
    if sys.platform == "linux":
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGHUP)
    start(wandb_dir, server.url)  # there is one already
    log_rows(log, 3)
    log.flush()
    wait_until(lambda: "r1" in server.runs and len(server.runs["r1"].rows()) == 3)
    assert (holder(wandb_dir, server) or {})["pid"] == pid
    assert "3 rows" in command("status", wandb_dir, server).stdout
    (upload,) = json.loads(command("status", wandb_dir, server, "--json").stdout)["uploads"]
    assert (upload["run_id"], upload["rows_acked"], upload["last_error"]) == ("r1", 3, "")
    stopped = command("stop", wandb_dir, server)
    assert (stopped.returncode, stopped.stdout) == (0, f"process {pid} has stopped\n")
    assert holder(wandb_dir, server) is None
    end(log)
    start(wandb_dir, server.url)
    wait_until(lambda: completed(server, "r1"))
    check_same(server.runs["r1"], folder)
    command("stop", wandb_dir, server)


def test_a_process_without_a_valid_key_gives_way_to_a_run_that_has_one(
    server: WBServer, wandb_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "o" * 40)
    first = finished_run(wandb_dir, server.url)
    start(wandb_dir, server.url)
    wait_until(lambda: any("wandb login" in one.last_error for one in status(wandb_dir)))
    old = (holder(wandb_dir, server) or {})["pid"]
    start(wandb_dir, server.url)
    assert (holder(wandb_dir, server) or {})["pid"] == old, "the same key again is no reason to change"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    second = finished_run(wandb_dir, server.url, run_id="r2")
    start(wandb_dir, server.url)
    wait_until(lambda: completed(server, "r1", "r2"))
    check_same(server.runs["r1"], first)
    check_same(server.runs["r2"], second)
    command("stop", wandb_dir, server)


def test_its_log_is_bounded_and_holds_no_key(server: WBServer, wandb_dir: Path) -> None:
    finished_run(wandb_dir, server.url)
    home = Home(wandb_dir, server.url)
    home.create()
    home.log_path.write_text("x" * (1 << 20))
    uploader = subprocess.Popen([*python_command(), "run", "--dir", str(wandb_dir), "--url", server.url])
    wait_until(lambda: completed(server, "r1"))
    uploader.terminate()
    assert uploader.wait(30) == 0
    assert home.log_path.stat().st_size < 10_000
    assert KEY not in home.log_path.read_text()


def test_a_service_stays_and_sends_what_is_there_before_it_ends(server: WBServer, wandb_dir: Path) -> None:
    command = [*python_command(), "run", "--stay", "--drain", "60", "--dir", str(wandb_dir), "--url", server.url]
    with subprocess.Popen(command) as service:
        wait_until(lambda: bool((holder(wandb_dir, server) or {}).get("pid")))
        folder = finished_run(wandb_dir, server.url, rows=6000)
        server.fault = lambda request: Fault(delay=0.1)
        service.terminate()
        assert service.wait(30) == 0
    check_same(server.runs["r1"], folder)
    assert server.runs["r1"].completions == 1


def test_commands_explain_themselves(wandb_dir: Path) -> None:
    shown = subprocess.run([*python_command(), "--help"], capture_output=True, text=True, check=True).stdout
    assert all(name in shown for name in ("run", "status", "stop", "netrc"))
    refused = subprocess.run(
        [*python_command(), "run", "--dir", str(wandb_dir), "--url", "http://user:word@h"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "word@" not in refused.stderr


def test_a_server_named_in_the_settings_is_read_once_for_all(server: WBServer, wandb_dir: Path) -> None:
    finished_run(wandb_dir, server.url)
    (one,) = status(wandb_dir)
    assert (one.destination, one.rows_acked, one.done) == (server.url, 0, False)
    assert json.dumps(one.parked_files) == "{}"
