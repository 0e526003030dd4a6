"""Output of native code and of child processes, in the run's log (`console="redirect"`)."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Dict, List, Tuple

from logged import state_of

from wandb_storage import Reader, RunState, recover

_PROLOGUE = """
import ctypes, faulthandler, os, signal, subprocess, sys, time
import wandb
faulthandler.enable()
c = ctypes.CDLL(None)
run = wandb.init(mode="offline", settings={"console": "redirect", "silent": True, "x_disable_stats": True})
def relay():
    (watcher,) = [one for one in run._watchers if hasattr(one, "_process")]
    return watcher._process.pid
"""


def start(tmp_path: Path, program: str) -> Tuple[subprocess.CompletedProcess[str], Path]:
    done = subprocess.run(
        [sys.executable, "-c", _PROLOGUE + program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, Path(os.path.realpath(tmp_path / "wandb" / "latest-run"))


def lines_of(folder: Path) -> List[str]:
    """The console's lines as they are in the end."""
    recover(folder)
    state = RunState()
    lines: Dict[int, str] = {}
    with Reader(folder) as reader:
        for entry in reader.entries():
            lines.update({line.number: line.text for line in state.apply(entry.record).console})
    return [lines[number] for number in sorted(lines)]


def test_python_native_code_and_children_are_captured_and_passed_on(tmp_path: Path) -> None:
    program = """
print("python")
sys.stdout.flush()
c.puts(b"C")
c.fflush(None)
subprocess.run(["sh", "-c", "echo child"], check=True)
for percent in range(0, 101, 10):
    c.printf(b"\\r%d%%", percent)
run.finish()
print("later")
"""
    done, folder = start(tmp_path, program)
    bar = "".join(f"\r{percent}%" for percent in range(0, 101, 10))
    assert (done.returncode, done.stderr) == (0, "")
    # `text=True` makes line ends of carriage returns.
    assert done.stdout == f"python\nC\nchild\n{bar}later\n".replace("\r", "\n")
    assert lines_of(folder) == ["python", "C", "child", "100%"]
    assert (folder / "files" / "output.log").read_text() == "python\nC\nchild\n100%\n"
    assert state_of(folder).status == "finished"


def test_the_last_words_of_a_program_that_crashes_are_in_the_log(tmp_path: Path) -> None:
    done, folder = start(tmp_path, "sys.stdout.write('at the end\\n'); sys.stdout.flush(); ctypes.string_at(0)")
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    found = lines_of(folder)
    assert "at the end" in found
    assert "Fatal Python error: Segmentation fault" in found
    assert state_of(folder).crashes == 1


def test_native_code_that_holds_the_interpreter_may_print_more_than_a_pipe_takes(tmp_path: Path) -> None:
    program = """
signal.alarm(50)  # a deadlock ends the test
ctypes.PyDLL(None).puts(b"x" * (3 << 20))
run.finish()
"""
    done, folder = start(tmp_path, program)
    assert (done.returncode, len(done.stdout)) == (0, (3 << 20) + 1)
    assert lines_of(folder)[0].startswith("xxx")


def test_printing_goes_on_where_the_process_that_captures_is_killed(tmp_path: Path) -> None:
    program = """
print("captured", flush=True)
os.kill(relay(), signal.SIGKILL)
while not run._watchers[0]._draining:
    print("x" * 1000, flush=True)
print("free", flush=True)
run.finish()
"""
    done, folder = start(tmp_path, program)
    assert done.returncode == 0
    assert done.stdout.count("captured\n") == done.stdout.count("free\n") == 1
    assert set(done.stdout.replace("captured", "").replace("free", "")) == {"x", "\n"}
    assert state_of(folder).status == "finished"


def test_a_child_that_outlives_the_run_prints_into_it(tmp_path: Path) -> None:
    program = """
child = subprocess.Popen(["sh", "-c", "read line; echo from the child"], stdin=subprocess.PIPE)
run.finish()
child.communicate(b"\\n")
"""
    done, folder = start(tmp_path, program)
    assert done.stdout == "from the child\n"
    assert lines_of(folder) == ["from the child"]


def test_a_second_run_of_a_program_takes_what_passes_python(tmp_path: Path) -> None:
    program = """
second = wandb.init(mode="offline", reinit="create_new", id="second", settings={"console": "redirect", "silent": True})
print("for both", flush=True)
second.finish()
run.finish()
"""
    done, folder = start(tmp_path, program)
    (second,) = folder.parent.glob("*-second")
    assert done.returncode == 0, done.stderr
    assert (lines_of(folder), lines_of(second)) == (["for both"], ["for both"])


def test_a_program_at_a_terminal_sees_a_terminal_of_that_size(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 123, 0, 0))
    program = _PROLOGUE + "print(sys.stdout.isatty(), os.get_terminal_size(1).columns)\nrun.finish()\n"
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=theirs, stderr=theirs) as script:
        os.close(theirs)
        said = os.read(ours, 1000)
        assert script.wait(timeout=60) == 0
    os.close(ours)
    assert said == b"True 123\r\n"
    assert lines_of(Path(os.path.realpath(tmp_path / "wandb" / "latest-run"))) == ["True 123"]
