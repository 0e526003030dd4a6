"""The commands around runs: init, projects, pull, restore, docker, server start and stop, and older names."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from live_server import LiveServer
from shells import Shell, free_port, write_run

from wandb.cli.docker import split_arguments
from wandb_storage import Environment, Exit, FileSaved, Log


def setting(shell: Shell, name: str) -> Optional[str]:
    parser = configparser.RawConfigParser()
    parser.read(shell.folder / "wandb" / "settings")
    return parser.get("default", name, fallback=None)


@pytest.fixture
def online(shell: Shell, server: LiveServer) -> Shell:
    """A shell that is logged in."""
    shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
    return shell


# --- a folder's settings ----------------------------------------------------------------------------------------------


def test_init_writes_what_runs_of_a_folder_belong_to(shell: Shell) -> None:
    outcome = shell("init", "-p", "digits", "-e", "team", "-m", "offline")
    assert outcome.returncode == 0, outcome.stderr
    assert [setting(shell, name) for name in ("project", "entity", "mode")] == ["digits", "team", "offline"]
    assert (shell.folder / "wandb" / ".gitignore").read_text() == "*\n!settings\n"
    assert shell("init", "--reset", "-p", "other").returncode == 0
    assert [setting(shell, name) for name in ("project", "entity", "mode")] == ["other", None, None]
    assert shell("init").returncode == 2, "there is nobody to ask"
    assert shell("init", "-m", "loud").returncode == 2


@pytest.mark.parametrize(("command", "mode"), [("on", "online"), ("off", "offline"), ("disabled", "disabled")])
def test_older_names_of_modes(shell: Shell, command: str, mode: str) -> None:
    assert shell(command, *(["--service"] if command == "disabled" else [])).returncode == 0
    assert setting(shell, "mode") == mode


def test_magic_says_what_became_of_it(shell: Shell) -> None:
    outcome = shell("magic", "train.py", "--lr", "1")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "retired" in outcome.stderr


def test_a_key_is_read_from_stdin(shell: Shell) -> None:
    key = "0123456789" * 4
    done = subprocess.run(
        [*shell.command, "login", "-", "--host", "http://127.0.0.1:1234"],
        input=f"{key}\n", cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert key in (shell.folder / "netrc").read_text()
    assert key not in done.stdout + done.stderr
    assert shell("login", "--cloud", "--host", "http://127.0.0.1:1").returncode == 2


# --- a server's runs --------------------------------------------------------------------------------------------------


def test_projects_are_listed(online: Shell) -> None:
    write_run(online.folder, "listed", 1)
    assert online("sync", "listed").returncode == 0
    projects = json.loads(online("projects", "--json").stdout)["projects"]
    assert "digits" in [project["name"] for project in projects]
    assert any(line.startswith("digits ") for line in online("projects").stdout.splitlines())
    nobody = online("projects", "-e", "nobody-at-all")
    assert (nobody.returncode, nobody.stdout, nobody.stderr) == (0, "", "There are no projects.\n")
    away = online("projects", "--host", f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 4


def upload_with_files(shell: Shell, run_id: str, files: Dict[str, bytes], environment: Optional[Any] = None) -> Path:
    folder = write_run(shell.folder, run_id, 3, end=False)
    with Log.open(folder) as log:
        if environment is not None:
            log.append(Environment(json=json.dumps(environment), time=1.7e9))
        for name, content in files.items():
            (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "files" / name).write_bytes(content)
            log.append(FileSaved(path=name, policy="now", time=1.7e9))
        log.append(Exit(code=0, time=1.7e9 + 3))
    outcome = shell("sync", run_id)
    assert outcome.returncode == 0, outcome.stderr
    return folder


def test_files_are_pulled_and_what_is_there_stays(online: Shell) -> None:
    upload_with_files(online, "files", {"a.txt": b"one", "media/b.bin": bytes(range(256))})
    outcome = online("pull", "digits/files", "--root", "here")
    assert outcome.returncode == 0, outcome.stderr
    assert (online.folder / "here" / "a.txt").read_bytes() == b"one"
    assert (online.folder / "here" / "media" / "b.bin").read_bytes() == bytes(range(256))
    (online.folder / "here" / "a.txt").write_bytes(b"two")
    again = online("pull", "files", "-p", "digits", "--root", "here")
    assert "media/b.bin: is there" in again.stdout
    assert "a.txt: 3 bytes" in again.stdout
    assert (online.folder / "here" / "a.txt").read_bytes() == b"one"
    only = online("pull", "digits/files", "--root", "there", "--files", "*.txt")
    assert only.stdout == "a.txt: 3 bytes\n"
    assert online("pull", "digits/nobody").returncode == 3


# --- code -------------------------------------------------------------------------------------------------------------


class Repository:
    """A git repository with two commits, the first of which a run was started from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "t@example.com")
        self.git("config", "user.name", "t")
        (folder / "train.py").write_text("lr = 1\n")
        (folder / ".gitignore").write_text("wandb\nnetrc\nconfig\n.*\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "one")
        self.commit = self.git("rev-parse", "HEAD").strip()
        (folder / "train.py").write_text("lr = 1\nmore = 2\n")
        self.patch = self.git("diff").encode()
        (folder / "train.py").write_text("lr = 9\n")
        self.git("commit", "-q", "-a", "-m", "two")

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        line = ["git", *arguments]
        return subprocess.run(
            line, cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        ).stdout  # fmt: skip


def test_code_and_config_come_back_from_a_log(shell: Shell) -> None:
    repository = Repository(shell.folder)
    metadata = {"git": {"commit": repository.commit, "remote": "x"}, "program": "train.py", "args": ["--lr", "1"]}
    folder = write_run(shell.folder, "coded", 1, end=False)
    (folder / "files" / "diff.patch").write_bytes(repository.patch)
    with Log.open(folder) as log:
        log.append(Environment(json=json.dumps(metadata), time=1.7e9))
    outcome = shell("restore", "coded")
    assert outcome.returncode == 0, outcome.stderr
    assert (shell.folder / "train.py").read_text() == "lr = 1\nmore = 2\n"
    assert repository.git("branch", "--show-current").strip() == "wandb/coded"
    assert "It was started as: train.py --lr 1" in outcome.stdout
    assert (shell.folder / "wandb" / "config.yaml").exists()
    again = shell("restore", "coded")
    assert (again.returncode, "there is a branch wandb/coded already" in again.stderr) == (1, True)


def test_code_comes_back_from_a_server(online: Shell) -> None:
    repository = Repository(online.folder)
    metadata = {"git": {"commit": repository.commit}, "program": "train.py"}
    upload_with_files(
        online,
        "remote",
        {"diff.patch": repository.patch, "wandb-metadata.json": json.dumps(metadata).encode()},
        metadata,
    )
    (online.folder / "wandb").rename(online.folder / ".elsewhere")
    outcome = online("restore", "digits:remote", "--no-branch")
    assert outcome.returncode == 0, outcome.stderr
    assert (online.folder / "train.py").read_text() == "lr = 1\nmore = 2\n"
    assert repository.git("branch", "--show-current") == "", "a detached head"


def test_changes_that_are_not_committed_are_not_overwritten(shell: Shell) -> None:
    repository = Repository(shell.folder)
    folder = write_run(shell.folder, "coded", 1, end=False)
    with Log.open(folder) as log:
        log.append(Environment(json=json.dumps({"git": {"commit": repository.commit}}), time=1.7e9))
    (shell.folder / "train.py").write_text("mine\n")
    outcome = shell("restore", "coded")
    assert (outcome.returncode, "Commit or stash your changes first" in outcome.stderr) == (1, True)
    assert (shell.folder / "train.py").read_text() == "mine\n"
    assert shell("restore", "coded", "--no-git").returncode == 0


# --- docker: a stand-in, which writes down what it was called with ----------------------------------------------------

_STAND_IN = """#!/bin/sh
if [ "$1 $2" = "image inspect" ]; then
    echo '[{"Id": "sha256:1234", "RepoDigests": ["my/image@sha256:abcd"]}]'
    exit 0
fi
for argument in "$@"; do printf '%s\\n' "$argument" >> "$CALLED"; done
printf 'key %s url %s\\n' "$WANDB_API_KEY" "$WANDB_BASE_URL" >> "$CALLED"
exit 7
"""


def test_a_server_is_asked_whether_it_takes_a_key(online: Shell, server: LiveServer) -> None:
    known = online("login", "--verify")
    assert (known.returncode, f"Currently logged in as: {server.user} to {server.url}" in known.stderr) == (0, True)
    assert online("login", "--verify", key="0" * 40).returncode == 5
    away = f"http://127.0.0.1:{free_port()}"
    assert online("login", "0" * 40, "--host", away).stdout == f"The key for {away} is in {online.folder}/netrc.\n"
    assert online("login", "--verify", "--host", away).returncode == 4


@pytest.fixture
def docker(shell: Shell) -> Shell:
    stand_in = shell.folder / "bin" / "docker"
    stand_in.parent.mkdir()
    stand_in.write_text(_STAND_IN)
    stand_in.chmod(0o755)
    shell.environment.update(
        PATH=f"{stand_in.parent}:/usr/bin:/bin",
        CALLED=str(shell.folder / "called"),
        WANDB_BASE_URL="https://w.example.com",
    )
    return shell


def called(shell: Shell) -> List[str]:
    return (shell.folder / "called").read_text().splitlines()


def test_docker_run_gets_what_a_run_needs(docker: Shell) -> None:
    outcome = docker("docker-run", "--rm", "-it", "-v", "/a:/b", "--name=x", "my/image", "python", "train.py", "-h")
    assert outcome.returncode == 7, "the exit code is docker's"
    key = docker.environment["WANDB_API_KEY"]
    line = called(docker)
    assert line[-1] == f"key {key} url https://w.example.com"
    assert line[:-1] == [
        "run", "-e", "WANDB_BASE_URL", "-e", "WANDB_API_KEY", "-e", "WANDB_DOCKER=my/image@sha256:abcd",
        "--rm", "-it", "-v", "/a:/b", "--name=x", "my/image", "python", "train.py", "-h",
    ]  # fmt: skip
    assert key not in " ".join(line[:-1]), "other users see a command line"


def test_docker_starts_a_shell_or_a_command(docker: Shell) -> None:
    docker("docker", "-v", "/data:/data", "my/image", "--no-tty", "--cmd", "python train.py", "--dir", "/code")
    line = called(docker)
    assert ["-v", f"{docker.folder}:/code"] == line[line.index("/code") + 1 : line.index("/code") + 3]
    assert line[line.index("/data:/data") - 1 : line.index("/data:/data") + 1] == ["-v", "/data:/data"]
    assert "-t" not in line
    assert line[-2].endswith("python train.py")
    assert docker("docker", "my/image", "--digest").stdout == "my/image@sha256:abcd\n"
    shown = docker("docker", "--jupyter", "--port", "9999", "--no-dir", "--nvidia", "--dry-run").stdout
    assert "-p 127.0.0.1:9999:8888" in shown
    assert "--gpus all" in shown
    assert f"{docker.folder}:" not in shown
    assert docker("docker-run", "--rm").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["img"], ([], "img", [])),
        (["-it", "--rm", "img", "-x"], (["-it", "--rm"], "img", ["-x"])),
        (["-v", "a:b", "-p8080:80", "img"], (["-v", "a:b", "-p8080:80"], "img", [])),
        (["--env", "A=1", "--gpus=all", "-dP", "img", "sh"], (["--env", "A=1", "--gpus=all", "-dP"], "img", ["sh"])),
        (["--rm"], (["--rm"], "", [])),
    ],
)
def test_an_image_is_told_from_the_options_before_it(arguments: List[str], expected: Any) -> None:
    assert split_arguments(arguments) == expected


def test_docker_that_is_missing_is_said(shell: Shell) -> None:
    shell.environment["PATH"] = str(shell.folder)
    outcome = shell("docker", "img")
    assert (outcome.returncode, "docker is not installed" in outcome.stderr) == (1, True)


# --- a server in the background, and a check of one -------------------------------------------------------------------


def test_a_server_starts_and_stops_in_the_background(shell: Shell) -> None:
    data = ("--data", str(shell.folder / "data"))
    started = shell("local", "--port", "0", *data)
    try:
        assert started.returncode == 0, started.stderr
        assert "listens on http://127.0.0.1:" in started.stdout
        key = started.stdout.partition("shown this once: ")[2].split()[0]
        assert key not in (shell.folder / "data" / "server.log").read_text()
        second = shell("server", "start", "--port", "0", *data)
        assert (second.returncode, "uses" in second.stderr) == (1, True)
        url = started.stdout.partition("listens on ")[2].partition(";")[0]
        assert shell("verify", "--host", url, key=key).returncode == 0
    finally:
        stopped = shell("server", "stop", *data)
    assert "has ended" in stopped.stdout
    assert shell("server", "stop", *data).returncode == 0


def test_a_server_is_verified_with_a_run(online: Shell, server: LiveServer) -> None:
    outcome = online("verify", "--host", server.url, "--json")
    assert outcome.returncode == 0, outcome.stdout
    steps = {step["what"]: step for step in json.loads(outcome.stdout)["steps"]}
    assert set(steps) == {"key", "upload", "rows", "config", "summary", "state", "file", "console", "delete"}
    assert all(step["good"] for step in steps.values())
    refused = online("verify", "--host", server.url, key="0" * 40)
    assert (refused.returncode, "✖ key" in refused.stdout) == (1, True)


# --- uploading under other names --------------------------------------------------------------------------------------


def test_labels_are_changed_on_the_way(online: Shell, server: LiveServer) -> None:
    folder = write_run(online.folder, "labels", 2, tags=["old", "kept"])
    outcome = online("sync", "labels", "--job-type", "eval", "--replace-tags", "old=new,x=y", "--verbose")
    assert outcome.returncode == 0, outcome.stderr
    run = server.run("jobType tags", "labels", "digits")
    assert (run["jobType"], sorted(run["tags"])) == ("eval", ["kept", "new"])
    assert online("sync", str(folder), "--replace-tags", "old").returncode == 2


def test_several_are_uploaded_at_a_time_and_older_options_choose(online: Shell) -> None:
    for number in range(4):
        write_run(online.folder, f"many{number}", 2, offline=number > 1)
    assert "Nothing to upload" in online("sync", "--no-include-offline").stderr
    outcome = online("sync", "--include-online", "-n", "3", "--ignore", "many3", "--yes")
    assert (outcome.returncode, outcome.stdout.count("done, 2 rows")) == (0, 3)
    assert "-many3: 6 of 6" not in online("sync", "--dry-run", "--include-globs", "many0").stdout
    again = online("beta", "sync", "many0", "--live")
    assert (again.returncode, "done, 2 rows" in again.stdout) == (0, True)
    seen = online("sync", "--view", "--include-synced", "--include-online", "--show", "1").stdout
    assert seen.count("2 rows") == 1
    listed = json.loads(online("sync", "--view", "--include-synced", "--json").stdout)["runs"]
    assert {run["id"]: run["rows"] for run in listed} == {"many2": 2, "many3": 2}
    planned = json.loads(online("sync", "many3", "--dry-run", "--json").stdout)["runs"]
    assert (planned[0]["left"], planned[0]["done"]) == (5, False)
    assert online("sync", "--json").returncode == 2


def test_uploaded_folders_are_cleaned_under_the_older_name(online: Shell) -> None:
    done, left = write_run(online.folder, "cleaned", 1), write_run(online.folder, "kept", 1)
    assert online("sync", "cleaned").returncode == 0
    assert "older than 24 hours" in online("clean").stderr
    assert online("clean", "--min-hours", "0", "--force").returncode == 0
    assert (done.exists(), left.exists()) == (False, True)
    assert online("clean", "--min-hours", "0", "--force", "--include-unsynced").returncode == 0
    assert not left.exists()


def test_the_cache_is_purged_by_age(shell: Shell) -> None:
    cache = shell.folder / "cache"
    shell.environment["WANDB_CACHE_DIR"] = str(cache)
    assert "nothing to remove" in shell("purge-cache", "--force").stderr
    (cache / "artifacts").mkdir(parents=True)
    (cache / "artifacts" / "new").write_bytes(b"1234")
    assert "nothing to remove" in shell("purge-cache", "--force", "--age", "1d").stderr
    assert shell("purge-cache").returncode == 1, "nobody said yes"
    assert "4 B removed" in shell("purge-cache", "--force").stdout


def test_the_viewers_other_names(shell: Shell) -> None:
    write_run(shell.folder, "seen", 2)
    records = [json.loads(line) for line in shell("leet", "inspect", "seen").stdout.splitlines()]
    assert [record["kind"] for record in records] == ["RunStart", "Shape", "Row", "Row", "Exit"]
    assert records[2]["values"] == {"loss": 1.0}
    assert shell("leet", "inspect", "--summary").stdout.startswith("✔ finished")
    assert "step 1 loss=0.5" in shell("leet", "inspect", "--follow").stdout
    assert "needs a terminal" in shell("leet", "seen").stderr
    assert "cpu" in shell("leet", "symon", "--seconds", "0").stdout
