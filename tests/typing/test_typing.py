"""`mypy --strict` for users: programs that must pass, and lines that must not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Set, Tuple

import pytest

HERE = Path(__file__).parent
_EXPECTED = re.compile(r"# error: (?P<code>[a-z-]+)$")
_FOUND = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of all the programs: one run, since most of it goes into reading the package."""
    programs = sorted([*(HERE / "passes").glob("*.py"), *(HERE / "fails").glob("*.py")])
    cache = tmp_path_factory.getbasetemp().parent / "mypy-cache-of-user-programs"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--hide-error-context", "--no-error-summary"]
    done = subprocess.run(
        [*command, f"--cache-dir={cache}", *map(str, programs)],
        cwd=tmp_path_factory.mktemp("mypy"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_programs_of_users_pass(output: str) -> None:
    assert "/passes/" not in output, output


def test_mistakes_are_found_where_they_are_and_nowhere_else(output: str) -> None:
    expected: Set[Tuple[str, int, str]] = set()
    for path in (HERE / "fails").glob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = _EXPECTED.search(line)
            if match:
                expected.add((path.name, number, match["code"]))
    found = {
        (Path(match["file"]).name, int(match["line"]), match["code"])
        for match in map(_FOUND.match, output.splitlines())
        if match and "/fails/" in match["file"]
    }
    assert found == expected
