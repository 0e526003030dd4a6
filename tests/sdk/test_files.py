"""Files that belong to a run: saving with each policy, restoring, code without its secrets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from logged import records_of, state_of

import wandb
from wandb.sdk import _run_files
from wandb_storage import FileSaved


def eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 30 s"
        time.sleep(0.01)


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", id="r")


def kept(run: wandb.Run, name: str) -> str:
    return (Path(run.dir) / name).read_text()


def test_saved_files_keep_their_path_from_the_base_on(run: wandb.Run, tmp_path: Path) -> None:
    for name in ("out/a.txt", "out/deep/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert run.save("out/*.txt") == [str(Path(run.dir) / "out/a.txt")]
    run.save("out/deep/b.txt", base_path="out", policy="now")
    run.save(tmp_path / "out" / "deep" / "b.txt", policy="end")
    assert state_of(run).files == {"out/a.txt": "live", "deep/b.txt": "now"} | {"deep/b.txt": "end"}
    assert kept(run, "deep/b.txt") == "out/deep/b.txt"
    assert [record.policy for record in records_of(run, FileSaved)] == ["live", "now", "end"]


def test_now_is_a_copy_and_the_others_follow_the_file(run: wandb.Run, tmp_path: Path) -> None:
    for policy in ("now", "live", "end"):
        (tmp_path / policy).write_text("before")
        run.save(policy, policy=policy)
        with (tmp_path / policy).open("a") as file:
            file.write(", after")
    assert [kept(run, name) for name in ("now", "live", "end")] == ["before", "before, after", "before, after"]


def test_a_live_file_that_is_replaced_is_followed_and_the_others_at_the_end(
    run: wandb.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_run_files, "_FOLLOW_SECONDS", 0.01)
    for policy in ("live", "end"):
        (tmp_path / policy).write_text("first")
        run.save(policy, policy=policy)
        (tmp_path / "next").write_text("second")
        os.replace(tmp_path / "next", tmp_path / policy)
    eventually(lambda: kept(run, "live") == "second")
    assert kept(run, "end") == "first"
    run.finish()
    assert kept(run, "end") == "second"


def test_a_file_that_is_gone_at_the_end_is_kept_as_it_was(run: wandb.Run, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    run.save("model")
    (tmp_path / "model").unlink()
    run.finish()
    assert kept(run, "model") == "weights"


def test_what_stands_in_the_runs_folder_already_is_only_recorded(run: wandb.Run) -> None:
    path = Path(run.dir) / "mine.txt"
    path.write_text("here")
    assert run.save(str(path)) == [str(path)]
    assert state_of(run).files == {"mine.txt": "live"}


def test_nothing_from_outside_the_base_gets_in(
    run: wandb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("key")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(wandb.UsageError, match="not below"):
        run.save("secret", base_path="base")
    with pytest.raises(wandb.UsageError, match="not below"):
        run.save("../*")
    assert run.save("base/link", base_path="base") == []
    assert "leads out of" in capsys.readouterr().err


def test_a_link_in_the_runs_folder_leads_nowhere(run: wandb.Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("a")
    (Path(run.dir) / "sub").symlink_to(tmp_path / "elsewhere")
    assert run.save("sub/a") == []
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["run-x.wandb", "run-x.tail-0", "config.yaml", "output.log"])
def test_names_of_the_log_and_of_the_clients_own_files_are_refused(
    run: wandb.Run, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("x")
    assert run.save(name) == []
    assert "is not saved" in capsys.readouterr().err


def test_what_matches_nothing_is_said_and_a_wrong_policy_is_an_error(
    run: wandb.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.save("absent/*") == []
    assert run.save("s3://bucket/key") == []
    said = capsys.readouterr().err
    assert "there is no file absent/*" in said
    assert "no file of this machine" in said
    with pytest.raises(wandb.UsageError, match="live, now, end"):
        run.save("a", policy="later")


def test_a_name_with_the_characters_of_globs_can_be_saved_as_it_is(run: wandb.Run, tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text("one")
    assert run.save("a[1].txt") == []
    assert len(run.save("a[1].txt", glob=False)) == 1


def test_a_file_is_restored_from_an_earlier_session_or_another_run(run: wandb.Run, tmp_path: Path) -> None:
    (tmp_path / "best.txt").write_text("epoch 3")
    run.save("best.txt", policy="now")
    run.finish()
    other = wandb.init(mode="offline", id="other")
    file = other.restore("best.txt", run_path="team/project/r")
    assert file is not None
    with file:
        assert file.read() == "epoch 3"
    assert kept(other, "best.txt") == "epoch 3"
    assert other.restore("absent.txt", run_path="r") is None
    with pytest.raises(wandb.UsageError, match="no path within"):
        other.restore("../run-r.wandb", run_path="r")


def test_code_is_kept_without_its_secrets(run: wandb.Run, tmp_path: Path) -> None:
    source = tmp_path / "src"
    for name, text in {
        "train.py": "API_KEY = 'sk-1234567890abcdef'\npassword: str = \"hunter2hunter2\"\nlr = 'a value of eight'\n",
        ".env": "SECRET=1",
        "credentials.py": "x = 1",
        "pkg/model.py": "import os\nTOKEN = os.environ['TOKEN']\n",
        "data.bin": "not code",
        "wandb/run.py": "ours",
        ".venv/lib.py": "others'",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    assert run.log_code("src") == ["code/train.py", "code/pkg/model.py"]
    text = kept(run, "code/train.py")
    assert "sk-1234" not in text
    assert "hunter2" not in text
    assert "lr = 'a value of eight'" in text
    assert "os.environ['TOKEN']" in kept(run, "code/pkg/model.py")
    assert set(state_of(run).files) == {"code/train.py", "code/pkg/model.py"}
    assert run.log_code("src", include_fn=lambda path, root: path.endswith(".bin")) == ["code/data.bin"]


def test_save_code_keeps_the_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import wandb\n")
    with wandb.init(mode="offline", save_code=True, settings={"program": "program.py"}) as run:
        pass
    assert kept(run, "code/program.py") == "import wandb\n"
