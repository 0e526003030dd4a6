"""docs/cli.md says what the commands say, and nothing of the official client is missing without a word."""

from __future__ import annotations

import re
from pathlib import Path

from wandb.cli import _COMMANDS
from wandb.cli._document import LEFT_OUT, document

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
# The official client's commands: its releases of 2020 and of 2026.
OFFICIAL = (
    "agent artifact beta clean controller disabled docker docker-run enabled grpc-server init job launch launch-agent "
    "launch-sweep leet local login magic off offline on online projects pull purge-cache restore scheduler server "
    "status superagent sweep sweep-scheduler sync verify"
)
COMING = {"superagent"}


def test_the_document_is_made_from_the_commands() -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == document(), "run `python -m wandb.cli._document > docs/cli.md`"


def test_each_command_of_the_official_client_is_there_or_told() -> None:
    told = " ".join(LEFT_OUT)
    missing = {name for name in OFFICIAL.split() if name not in _COMMANDS and f"`{name}" not in told}
    assert missing <= COMING


def test_every_option_has_words() -> None:
    empty = re.findall(r"^\| (`-.*?) \| +\|$", document(), re.MULTILINE)
    assert empty == []
