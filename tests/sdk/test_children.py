"""Child processes log to their parent's run: forked or spawned, by the dozen, however they end."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import wandb
from wandb_storage import Reader, RunState, recover, verify

_PROLOGUE = """
import multiprocessing, os, signal, sys, threading, time, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
import wandb
signal.alarm(50)  # a deadlock ends the test
def forked(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child
def ended_well(child):
    return os.waitpid(child, 0)[1] == 0
"""


def program(tmp_path: Path, script: str, *arguments: Any) -> Path:
    """Run a program that logs offline, and return its run's folder; it has to end well and warn of nothing."""
    path = tmp_path / "program.py"
    path.write_text(_PROLOGUE + script)
    environment = {
        **os.environ,
        "WANDB_MODE": "offline",
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
    }
    done = subprocess.run(
        [sys.executable, path, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return Path(os.path.realpath(tmp_path / "wandb" / "latest-run"))


def rows(folder: Path, key: str) -> Dict[Any, List[int]]:
    """The numbers that were logged, by writer."""
    found: Dict[Any, List[int]] = {}
    state = RunState()
    with Reader(folder) as reader:
        for entry in reader.entries():
            for row in state.apply(entry.record).rows:
                found.setdefault(row[key], []).append(row["number"])
    return found


def folded(folder: Path) -> RunState:
    state = RunState()
    with Reader(folder) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    return state


def in_child(work: Callable[[], object]) -> bool:
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def test_everything_that_a_forked_child_logs_is_in_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline", config={"lr": 1})
    run.log({"a": 1})

    def work() -> None:
        assert wandb.run is run
        wandb.log({"b": 1})
        wandb.log({"c": 1}, commit=False)
        wandb.config["child"] = True
        wandb.summary["best"] = 3
        run.define_metric("b", summary="max")
        run.alert("title")
        run.tags = ["tagged"]
        print("not into the run")
        run.flush()
        wandb.finish()
        assert wandb.run is None

    assert in_child(work)
    run.log({"a": 2})
    run.finish()
    state = folded(Path(run.sync_dir))
    assert state.config == {"lr": 1, "child": True}
    assert {key: state.summary[key] for key in "abc"} == {"a": 2, "b": 1, "c": 1}
    assert (state.rows, state.summary["best"], state.start.tags, len(state.alerts)) == (4, 3, ["tagged"], 1)
    assert (state.status, state.crashes, state.console.count) == ("finished", 0, 0)
    assert "WARNING" not in capfd.readouterr().err
    assert verify(Path(run.sync_dir)).severity == 0


def test_finish_in_a_child_ends_only_what_the_child_logs() -> None:
    run = wandb.init(mode="offline")

    def work() -> None:
        run.finish()
        with pytest.raises(wandb.UsageError, match="finished"):
            run.log({"a": 1})

    assert in_child(work)
    run.log({"a": 2})
    run.finish()
    assert (folded(Path(run.sync_dir)).rows, folded(Path(run.sync_dir)).status) == (1, "finished")


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "sys.exit()", "pass"])
def test_a_child_that_ends_somehow_loses_nothing(tmp_path: Path, end: str) -> None:
    """By itself, by a signal, at the end of a forked interpreter, or as multiprocessing ends its children."""
    script = f"""
def work():
    for number in range(200):
        run.log({{"writer": os.getpid(), "number": number}})
    {end}
if __name__ == "__main__":
    run = wandb.init()
    if {end == "pass"}:
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
    else:
        child = os.fork()
        if not child:
            work()
        os.waitpid(child, 0)
    run.log({{"writer": 0, "number": 0}})
"""
    found = rows(program(tmp_path, script), "writer")
    assert found.pop(0) == [0]
    assert list(found.values()) == [list(range(200))]


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_pool_of_workers_logs_while_the_parent_waits(tmp_path: Path, how: str) -> None:
    """Two dozen forked while four threads of the parent log on; or spawned, and given the run by pickling."""
    script = """
def work(arguments):
    run, worker = arguments
    run = run or wandb.run
    for number in range(20):
        run.log({"writer": worker, "number": number})
    assert run.config.lr == 0.5
    return os.getpid()
def log_on(thread, done, counts):
    while not done.is_set():
        wandb.log({"writer": f"thread {thread}", "number": counts[thread]})
        counts[thread] += 1
        time.sleep(0.0001)
if __name__ == "__main__":
    how = sys.argv[1]
    run = wandb.init(config={"lr": 0.5})
    done, counts = threading.Event(), [0] * 4
    threads = [threading.Thread(target=log_on, args=(number, done, counts)) for number in range(4)]
    for thread in threads:
        thread.start()
    with multiprocessing.get_context(how).Pool(24 if how == "fork" else 2) as pool:
        pool.map(work, [(None if how == "fork" else run, worker) for worker in range(48)])
    done.set()
    for thread in threads:
        thread.join()
    run.finish()
"""
    folder = program(tmp_path, script, how)
    recover(folder)
    found = rows(folder, "writer")
    for worker in range(48):
        assert found[worker] == list(range(20))
    for thread in range(4):
        numbers = found[f"thread {thread}"]
        assert numbers == list(range(len(numbers)))
    assert not list(folder.glob("lane-*"))
    assert verify(folder).severity == 0


def test_children_of_children_log_and_outlive_the_rest(tmp_path: Path) -> None:
    """The parent is killed first, then its child; the grandchild logs to the end, and everything is recovered."""
    script = """
run = wandb.init()
reading, writing = os.pipe()
def grandchild():
    run.log({"writer": "grandchild", "number": 0})
    os.write(writing, b"!")
    while os.getppid() == child:
        time.sleep(0.01)
    for number in range(1, 50):
        run.log({"writer": "grandchild", "number": number})
    run.finish()
    os.write(writing, b"?")
def work():
    global child
    child = os.getpid()
    run.log({"writer": "child", "number": 0})
    forked(grandchild)
    os.read(reading, 1)
    os.kill(os.getpid(), signal.SIGKILL)
run.log({"writer": "parent", "number": 0})
os.waitpid(forked(work), 0)
os.read(reading, 1)
run.finish()
"""
    folder = program(tmp_path, script)
    expected = {"parent": [0], "child": [0], "grandchild": list(range(50))}
    assert rows(folder, "writer") == expected
    recover(folder)
    assert rows(folder, "writer") == expected
    assert folded(folder).status == "finished"


def test_init_in_a_forked_child_starts_a_run_of_its_own() -> None:
    run = wandb.init(mode="offline", id="parents")

    def work() -> None:
        mine = wandb.init(mode="offline", id="childs")
        assert mine.id == "childs"
        assert wandb.run is mine
        mine.log({"a": 1})
        mine.finish()

    assert in_child(work)
    run.finish()
    assert folded(Path(run.sync_dir)).rows == 0
    (childs,) = Path("wandb").glob("*-childs")
    assert folded(childs).rows == 1


def test_a_run_pickles_to_itself_in_its_own_process() -> None:
    with wandb.init(mode="offline") as run:
        assert pickle.loads(pickle.dumps(run)) is run
        assert copy.deepcopy({"logger": run})["logger"] is run


def test_a_pickled_run_carries_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with wandb.init(mode="offline") as run:
        assert b"k" * 40 not in pickle.dumps(run)


def test_a_disabled_run_pickles_too() -> None:
    run = wandb.init(mode="disabled", config={"lr": 1})
    other = pickle.loads(pickle.dumps(run))
    other.log({"a": 1})
    assert (other.disabled, other.config.lr) == (True, 1)


def test_another_process_attaches_by_name(tmp_path: Path) -> None:
    """By the run's id where it was started, or by what loggers pass around from anywhere."""
    run = wandb.init(mode="offline", id="named", config={"lr": 0.5}, project="p")
    for number, (name, place) in enumerate([("named", tmp_path), (run._attach_id, tmp_path / "elsewhere")]):
        place.mkdir(exist_ok=True)
        script = f"""
import wandb
run = wandb._attach({name!r})
assert wandb.run is run and wandb.attach(run_id="named") is run
assert (run.id, run.project, run.config.lr, run.offline) == ("named", "p", 0.5, True)
wandb.log({{"writer": "other", "number": {number}}})
"""
        subprocess.run([sys.executable, "-c", script], check=True, cwd=place)
    assert wandb.attach("named") is run
    run.finish()
    assert rows(Path(run.sync_dir), "writer") == {"other": [0, 1]}
    assert not list(Path(run.sync_dir).glob("*lane*"))


def test_a_fork_of_a_run_begins_with_what_its_children_logged() -> None:
    run = wandb.init(mode="offline", id="origin")
    run.log({"a": 0})
    assert in_child(lambda: run.log({"child": 1, "text": "t"}))
    run.log({"a": 1})
    run.finish()
    with wandb.init(mode="offline", fork_from="origin?_step=1") as branch:
        assert (branch.summary["child"], branch.summary["a"]) == (1, 1)
    assert (folded(Path(branch.sync_dir)).rows, folded(Path(branch.sync_dir)).summary["text"]) == (3, "t")


# The first import of a module takes until a fork has begun and a little longer: it is made meanwhile, unless it waits.
_SLOW_IMPORT = """
import importlib.abc
begun, forking = threading.Event(), threading.Event()
class Slow(importlib.abc.MetaPathFinder):
    def __init__(self, module):
        self.module = module
    def find_spec(self, name, path, target=None):
        if name == self.module and not begun.is_set():
            begun.set()
            forking.wait()
            time.sleep(0.2)
"""


def test_a_fork_in_the_middle_of_an_import_by_another_thread_leaves_no_child_waiting(tmp_path: Path) -> None:
    script = """
with wandb.init() as run:
    sys.meta_path.insert(0, Slow("wandb_storage._lanes"))
    importer = threading.Thread(target=__import__, args=("wandb_storage._lanes",))
    importer.start()
    begun.wait()
    os.register_at_fork(before=forking.set)
    def work():
        for number in range(20):
            run.log({"writer": {"child": number}})
    assert ended_well(forked(work))
    importer.join()
"""
    assert folded(program(tmp_path, _SLOW_IMPORT + script)).rows == 20


def test_a_fork_waits_for_what_the_threads_of_a_run_are_loading(tmp_path: Path) -> None:
    """A child that imports psutil, while a thread which it doesn't have is at it, would wait for ever."""
    script = """
sys.meta_path.insert(0, Slow("psutil"))
with wandb.init() as run:
    begun.wait()
    os.register_at_fork(before=forking.set)
    def work():
        import psutil
        run.log({"child": 1})
    assert ended_well(forked(work))
"""
    assert folded(program(tmp_path, _SLOW_IMPORT + script)).rows == 1


def test_a_module_that_forks_is_not_waited_for_by_the_fork_that_it_makes(tmp_path: Path) -> None:
    script = """
import pathlib
from wandb.sdk import _loading
_loading._FORK_WAITS_SECONDS = 0.1
holding = threading.Event()
pathlib.Path("forks.py").write_text('''
import os
from __main__ import Loader, holding
Loader().start()
holding.wait()
child = os.fork()
if child == 0:
    with __import__("wandb").sdk._loading.loading:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
''')
class Loader(threading.Thread):
    def run(self):
        with _loading.loading:
            holding.set()
            import forks
sys.path.insert(0, ".")
with wandb.init() as run:
    import forks
    run.log({"a": 1})
"""
    assert folded(program(tmp_path, script)).rows == 1


def test_threads_load_nothing_that_a_fork_does_not_wait_for(tmp_path: Path) -> None:
    script = """
import importlib.abc
from wandb.sdk._loading import loading
found = []
class Listening(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if threading.current_thread() is not threading.main_thread() and not loading._is_owned():
            found.append(name.partition(".")[0])
sys.meta_path.insert(0, Listening())
with wandb.init(save_code=True) as run:
    print("for the console")
    run.log({"a": {"b": "text"}})
# The log's own: `storage/_log.py` waits for it. Python 3.9's platform needs subprocess.
of_platform = {"subprocess", "pwd", "grp", "msvcrt", "_posixsubprocess"} if sys.version_info < (3, 10) else set()
assert set(found) <= {"zstandard", "platform"} | of_platform, found
"""
    program(tmp_path, script)


def test_attaching_to_nothing_is_refused() -> None:
    with pytest.raises(wandb.UsageError, match=r"there is no run nothing in .*wandb"):
        wandb.attach("nothing")
    with pytest.raises(wandb.UsageError, match="needs the id"):
        wandb.attach()


def test_a_child_that_gets_no_lane_warns_once_and_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline")
    (Path(run.sync_dir) / "lane-1").touch()  # counted as lanes are

    def work() -> None:
        import wandb_storage._lanes

        vars(wandb_storage._lanes).update(LANES_MAX=1)
        for number in range(3):
            run.log({"number": number})
        assert run.step == 3

    assert in_child(work)
    run.finish()
    assert capfd.readouterr().err.count("processes log to this run already") == 1
