"""Media through a server: logged by this client and read by the official one's Api, and the other way round."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import pytest
from logged import values_of
from media_cases import MEDIA, TABLES, rich_table
from own_server import Server
from peer import peer_python

import wandb
from wandb.sdk.artifacts._internal_artifact import sanitize_artifact_name

HERE = Path(__file__).parent
_LIBRARIES = ("numpy", "pillow", "soundfile")

# What the official client is asked for: the rows of a run, and the digests of its media.
_READ = """
import hashlib, json, sys, wandb
run = wandb.Api().run(sys.argv[1])
rows = [{key: value for key, value in row.items() if key[:1] != "_"} for row in run.scan_history()]
digests = {}
for file in run.files():
    if file.name.startswith("media/"):
        with file.download(root="read", replace=True) as opened:
            digests[file.name] = hashlib.sha256(open(opened.name, "rb").read()).hexdigest()
json.dump({"rows": rows, "digests": digests}, open("result.json", "w"))
"""

# What it logs itself: a row for each case.
_WRITE = """
import hashlib, json, pathlib, sys, wandb
sys.path.insert(0, sys.argv[2])
from media_cases import MEDIA, TABLES
with wandb.init(id="theirs", project=sys.argv[1]) as run:
    for number, make in enumerate(MEDIA.values()):
        folder = pathlib.Path(f"case-{number}")
        folder.mkdir()
        run.log({"val/key": make(folder)})
    for make in TABLES.values():
        run.log({"table": make()})
    files = pathlib.Path(run.dir)
digests = {str(path.relative_to(files)): hashlib.sha256(path.read_bytes()).hexdigest()
           for path in files.rglob("media/**/*") if path.is_file()}
json.dump({"digests": digests}, open("result.json", "w"))
"""


# Tables of media and arrays, as the other client finds them in the artifact that was logged with them.
_READ_TABLE = """
import hashlib, json, pathlib, sys, numpy, wandb
table = wandb.Api().artifact(sys.argv[1]).get("deep/table")
image = table.data[0][1]
pathlib.Path("result.json").write_text(json.dumps({
    "columns": table.columns,
    "types": sorted(map(str, table._column_types.params["type_map"].values()))[1:],
    "numbers": [row[0] for row in table.data],
    "pixels": hashlib.sha256(numpy.asarray(image.image).tobytes()).hexdigest(),
    "caption": image._caption,
    "layers": [sorted(image._boxes), sorted(image._masks)],
    "page": table.data[0][2].html,
    "arrays": [row[3].tolist() for row in table.data],
    "times": [str(row[4]) for row in table.data],
}))
"""

_WRITE_TABLE = """
import datetime, json, pathlib, sys, numpy, wandb
sys.path.insert(0, sys.argv[2])
from media_cases import rich_table
with wandb.init(id="table-of-theirs", project=sys.argv[1]) as run:
    run.log({"deep/table": rich_table()})
json.dump({}, open("result.json", "w"))
"""


def official(server: Server, place: Path, script: str, *arguments: str) -> Dict[str, Any]:
    """What a script of the official client's leaves in result.json."""
    place.mkdir()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place), "WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key,
        "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    command = [str(peer_python("0.31.0", *_LIBRARIES)), "-c", script, *arguments]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: Dict[str, Any] = json.loads((place / "result.json").read_text())
    return result


def paths_in(value: Any) -> List[str]:
    """The files that a JSON object names."""
    if isinstance(value, dict):
        return [path for item in value.values() for path in paths_in(item)]
    if isinstance(value, list):
        return [path for item in value for path in paths_in(item)]
    return [value] if isinstance(value, str) and value.startswith("media/") else []


@pytest.mark.peer
def test_the_official_api_reads_what_this_client_logged(server: Server, tmp_path: Path) -> None:
    with wandb.init(id="ours", settings={"silent": True}) as run:
        for number, make in enumerate(MEDIA.values()):
            folder = tmp_path / f"case-{number}"
            folder.mkdir()
            run.log({"val/key": make(folder)})
        for make_table in TABLES.values():
            run.log({"table": make_table()})
    rows = [{key: value for key, value in row.items() if key != "_step"} for row in values_of(run)]
    read = official(server, tmp_path / "peer", _READ, f"{run.entity}/{server.project}/ours")
    assert read["rows"] == rows
    files = Path(run.dir)
    held = {path: hashlib.sha256((files / path).read_bytes()).hexdigest() for path in paths_in(rows) if "/" in path}
    assert read["digests"] == held


@pytest.mark.peer
def test_a_table_with_media_is_the_same_to_both_whoever_logged_it(server: Server, tmp_path: Path) -> None:
    with wandb.init(id="table-of-ours", settings={"silent": True}) as run:
        run.log({"deep/table": rich_table()})
    official(server, tmp_path / "writer", _WRITE_TABLE, server.project, str(HERE))
    found = []
    for run_id in ("table-of-ours", "table-of-theirs"):
        name = f"{run.entity}/{server.project}/{sanitize_artifact_name(f'run-{run_id}-deep/table')}:latest"
        found.append(official(server, tmp_path / f"reader of {run_id}", _READ_TABLE, name))
        own = _READ_TABLE.replace("sys.argv[1]", repr(name)).replace("result.json", run_id)
        exec(own, {})
        found.append(json.loads(Path(run_id).read_text()))
    assert found[0]["numbers"] == [0, 1, 2]
    assert found[0]["layers"] == [["found"], ["truth"]]
    for other in found[1:]:
        assert other == found[0]


@pytest.mark.peer
def test_this_api_reads_what_the_official_client_logged(server: Server, tmp_path: Path) -> None:
    written = official(server, tmp_path / "peer", _WRITE, server.project, str(HERE))
    run = wandb.Api().run(f"{server.project}/theirs")
    read: Dict[str, str] = {}
    for file in run.files():
        if file.name.startswith("media/"):
            with file.download(root=str(tmp_path / "read"), replace=True) as opened:
                read[file.name] = hashlib.sha256(Path(opened.name).read_bytes()).hexdigest()
    assert read == written["digests"]
    named = {path for row in run.scan_history() for path in paths_in(row)}
    assert named <= set(read)
    assert len(named) > len(MEDIA)
