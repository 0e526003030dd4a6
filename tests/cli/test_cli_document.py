"""docs/cli.md says what the commands say, and nothing of the official client is missing without a word."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
from pathlib import Path
from typing import Iterator, List, Set, Tuple

import click
import pytest

from wandb.cli import main
from wandb.cli._document import LEFT_OUT, document

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
# The official client's commands with their options, hidden ones too: its releases of 2020 and of 2026.
OFFICIAL = """
agent -p --project -e --entity --count -f --forward-signals --term-timeout --max-consecutive-failed-runs
artifact put -n --name -t --type -d --description -a --alias
artifact get --root --type
artifact ls -t --type
artifact cache cleanup
beta core start
beta core stop
beta sync --live
clean --min-hours --include-unsynced --force
controller --verbose
disabled --service
docker --nvidia --no-nvidia --digest --jupyter --no-jupyter --dir --no-dir --shell --port --cmd --no-tty
docker-run
enabled
grpc-server
init -p --project -e --entity --reset
job
launch
launch-agent
launch-sweep
leet run
leet inspect --follow --json --summary
leet symon
leet config
local -p --port -e --env --daemon --no-daemon --upgrade --edge
login --cloud --host --relogin --anonymously
magic
off
offline
on
online
projects -e --entity
pull -p --project -e --entity
purge-cache --age --force
restore --no-git --branch --no-branch -p --project -e --entity
scheduler
server start -p --port -e --env --daemon --no-daemon --upgrade --edge
server stop
status --settings --no-settings
superagent
sweep -p --project -e --entity --controller --verbose --name --program --update --settings
sweep --stop --cancel --pause --resume --prior_run
sweep-scheduler
sync --id -p --project -e --entity --include-globs --exclude-globs --include-online --no-include-online
sync --include-offline --no-include-offline --include-synced --no-include-synced --mark-synced --no-mark-synced
sync --sync-all --clean --clean-old-hours --clean-force --show --view --verbose --ignore
sync --yes --dry-run -n --job-type --replace-tags --skip-online --skip-synced
verify --host
"""
LISTS = ("ls", "status", "projects", "artifact ls", "server user list", "queue ls")


def commands() -> Iterator[Tuple[str, click.Command]]:
    """All of them, those of groups with their group's name before theirs."""

    def within(group: click.Group, before: str) -> Iterator[Tuple[str, click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield f"{before}{name}", found
            if isinstance(found, click.Group):
                yield from within(found, f"{before}{name} ")

    yield from within(main, "")


def options(command: click.Command) -> Set[str]:
    return {
        name for one in command.params if isinstance(one, click.Option) for name in (*one.opts, *one.secondary_opts)
    }


@pytest.mark.skipif(importlib.metadata.version("click") < "8.2", reason="click before 8.2 words usages differently")
def test_the_document_is_made_from_the_commands() -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == document(), "run `python -m wandb.cli._document > docs/cli.md`"


def test_each_command_and_option_of_the_official_client_is_there_or_told() -> None:
    here = {name: options(command) for name, command in commands()}
    missing = set()
    for line in OFFICIAL.strip().splitlines():
        words = line.split()
        first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
        name = " ".join(words[:first])
        if name not in here:
            missing.add(name)
        else:
            missing |= {f"{name} {option}" for option in set(words[first:]) - here[name]}
    told = {text for left in LEFT_OUT for text in re.findall("`([^`]+)`", left)}
    assert missing - told == set()


@pytest.mark.parametrize(("name", "command"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_help_fits_a_screen_and_shows_an_example(name: str, command: click.Command) -> None:
    context = click.Context(command, info_name=f"wandb {name}", help_option_names=["-h", "--help"], terminal_width=80)
    lines = command.get_help(context).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    shown = lines[lines.index("Examples:") + 1 :] if "Examples:" in lines else lines[lines.index("  Examples:") + 1 :]
    assert any(line.strip() for line in shown)


def shown_commands() -> List[str]:
    """The command lines in the documents and in what every command's help shows, without what they are for."""
    texts = [path.read_text(encoding="utf-8") for path in (*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md")]
    texts += [command.epilog or "" for _, command in commands()]
    lines = [line.strip() for text in texts for line in text.splitlines() if re.match(r" {2,}wandb [a-z]", line)]
    shown = [re.split(r"  | [|&#<>] |;", line)[0] for line in lines if "[OPTIONS]" not in line]
    return list(dict.fromkeys(shown))


@pytest.mark.parametrize("line", shown_commands())
def test_what_the_documents_show_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = main
    context = click.Context(main, info_name="wandb")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, found, words = command.resolve_command(context, words)
        assert found is not None, line
        command = found
    try:
        command.make_context(command.name, words, parent=context)
    except click.BadParameter as error:
        if "does not exist" not in error.message:  # the example's files aren't here
            raise


@pytest.mark.parametrize("name", LISTS)
def test_lists_have_a_form_for_programs(name: str) -> None:
    assert "--json" in options(dict(commands())[name])


def test_every_option_has_words() -> None:
    empty = re.findall(r"^\| (`-.*?) \| +\|$", document(), re.MULTILINE)
    assert empty == []
