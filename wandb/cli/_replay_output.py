"""What `wandb replay` writes: a story, or a run in a form that other programs read."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import click

from ._progress import shown

if TYPE_CHECKING:
    from wandb.replay import Replay
    from wandb.replay._fetch import ServerPath
    from wandb.replay._mirror import Mirror
    from wandb.replay._selection import Selection

# Where no terminal tells its width.
_PLAIN_WIDTH = 100
_BINARY = ("parquet",)


class Output(NamedTuple):
    """In which form, and where to: a path, or None for stdout."""

    form: str
    path: Optional[Path]


def load(names: Sequence[str], directory: Optional[Path] = None) -> List[Replay]:
    """The runs that these names mean, each read once, with a bar where that takes long."""
    from wandb.replay import find_runs
    from wandb.replay._fetch import server_path
    from wandb.replay._replay import open_run
    from wandb.replay._scan import Listeners
    from wandb_storage import LogError, Reader

    runs: Dict[Path, Replay] = {}
    for name in names:
        elsewhere = server_path(name)
        if elsewhere is not None:
            fetched = fetch_run(elsewhere)
            runs[fetched.folder] = fetched
        else:
            runs.update((folder, open_run(folder)) for folder in find_runs([name], directory))
    for run in runs.values():
        last = 0
        with contextlib.suppress(LogError), Reader(run.folder) as reader:
            last = reader.last_committed()
        with shown("reading", "records") as show:
            run.scan(Listeners(progress=lambda done, last=last, show=show: show(done, max(done, last))))  # type: ignore
    return list(runs.values())


def fetch_run(where: ServerPath) -> Replay:
    """A run of a server, with a bar where that takes long."""
    from wandb.replay._fetch import fetch

    with shown("fetching", "steps") as show:
        return fetch(where, show)


def mirrored(where: ServerPath) -> Mirror:
    """A run of a server as it goes on, with a bar where reading what it has already takes long."""
    from wandb.replay._mirror import Mirror

    with shown("fetching", "steps") as show:
        return Mirror(where, show)


def write(runs: Sequence[Replay], selection: Selection, output: Output) -> None:
    """Write the runs in the wanted form, with a bar where that takes long."""
    if not output.form:
        _tell(runs, output.path)
        return
    pinned = [run.pinned() for run in runs]
    total = sum(run.rows for run in pinned)
    with shown("writing", "rows") as show:
        done = 0

        def count(rows: int) -> None:
            nonlocal done
            done += rows
            show(done, max(done, total))

        _WRITERS[output.form](pinned, selection._replace(progress=count), output.path)


def _tell(runs: Sequence[Replay], path: Optional[Path]) -> None:
    from wandb.replay._story import print_story

    with _text(path) as file:
        for index, run in enumerate(runs):
            if index:
                file.write("\n\n")
            if path is None and file.isatty():
                from rich.console import Console

                print_story(run, Console(file=file, highlight=False))
            else:
                file.write(run.story(_PLAIN_WIDTH))


def _to_text(module: str, function: str) -> Callable[..., None]:
    def write_form(runs: Sequence[Replay], selection: Selection, path: Optional[Path]) -> None:
        with _text(path) as file:
            _exporter(module, function)(runs, selection, file)

    return write_form


def _to_parquet(runs: Sequence[Replay], selection: Selection, path: Optional[Path]) -> None:
    write_parquet = _exporter("_arrow", "write_parquet")
    if path is not None:
        with _replaced(path) as temporary, open(temporary, "wb") as file:
            write_parquet(runs, selection, file)
    elif sys.stdout.isatty():
        raise click.UsageError("Parquet is no text for a terminal; name a file with -o")
    else:
        write_parquet(runs, selection, sys.stdout.buffer)


def _to_path(module: str, function: str) -> Callable[..., None]:
    def write_form(runs: Sequence[Replay], selection: Selection, path: Path) -> None:
        with _replaced(path) as temporary:
            _exporter(module, function)(runs, selection, Path(temporary))

    return write_form


def _to_folder(runs: Sequence[Replay], selection: Selection, path: Path) -> None:
    _exporter("_tensorboard", "write_tensorboard")(runs, selection, path)


def _exporter(module: str, function: str) -> Callable[..., None]:
    import importlib

    found: Callable[..., None] = getattr(importlib.import_module(f"wandb.replay.{module}"), function)
    return found


_WRITERS: Dict[str, Callable[..., Any]] = {
    "json": _to_text("_export", "write_json"),
    "records": _to_text("_records", "write_records"),
    "csv": _to_text("_export", "write_csv"),
    "notebook": _to_text("_notebook", "write_notebook"),
    "parquet": _to_parquet,
    "html": _to_text("_html", "write_html"),
    "sqlite": _to_path("_sqlite", "write_sqlite"),
    "tensorboard": _to_folder,
}


@contextlib.contextmanager
def _text(path: Optional[Path]) -> Iterator[IO[str]]:
    """Stdout, or a file that gets its name when it is complete."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A run's texts may hold what the terminal's encoding doesn't; a question mark is better than an error.
            sys.stdout.reconfigure(errors="replace")
        yield sys.stdout
        return
    with _replaced(path) as temporary, open(temporary, "w", encoding="utf-8", errors="replace", newline="") as file:
        yield file


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[str]:
    """A temporary file that takes the place of `path` when all went well."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(descriptor)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as a file that this command had just created
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
