"""The example of a search of one's own does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_search.py"


def test_a_controller_in_user_code_decides_what_is_tried(own_place: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--trials", "6"], stdout=subprocess.PIPE, text=True, check=True
    )
    found = re.search(r"best of 6: \S+ at \{\('x',\): (\S+), \('y',\): (\S+)\}", done.stdout)
    assert found is not None
    logs = list((own_place / "wandb").glob("offline-run-*"))
    assert len(logs) == 6
