"""What belongs to a run of the public Api: its history, files, console and artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Literal, Optional, Sequence, Union, overload

from ..._sampling import SAMPLES_DEFAULT
from .._paths import RunPath
from .._source import Row, Source
from ..attrs import Attrs
from ._run_documents import HISTORY_KEYS
from .history import (
    HistoryScan,
    as_pandas_if_possible,
    check_keys,
    download_exports,
    last_step,
    read_history,
)

if TYPE_CHECKING:
    import pandas

    from ...sdk.artifacts.artifact import Artifact
    from .artifacts import RunArtifacts
    from .console_logs import ConsoleLogs
    from .files import File, Files
    from .history import DownloadHistoryResult
    from .runs import Run

PathLike = Union[str, Path]


class RunParts(Attrs):
    """The base of `Run`, which says which run it is."""

    _source: Source
    id: str
    project: str

    @property
    def entity(self) -> str:
        """The user or team that owns the run."""
        raise NotImplementedError

    @property
    def _where(self) -> RunPath:
        return RunPath(self.entity, self.project, self.id)

    # --- history ------------------------------------------------------------------------------------------------------

    @overload
    def history(
        self,
        samples: int = ...,
        keys: Optional[Sequence[str]] = ...,
        x_axis: str = ...,
        pandas: Literal[True] = ...,
        stream: str = ...,
    ) -> pandas.DataFrame: ...

    @overload
    def history(
        self,
        samples: int = ...,
        keys: Optional[Sequence[str]] = ...,
        x_axis: str = ...,
        *,
        pandas: Literal[False],
        stream: str = ...,
    ) -> List[Row]: ...

    @overload
    def history(
        self, samples: int, keys: Optional[Sequence[str]], x_axis: str, pandas: bool, stream: str = ...
    ) -> Union[List[Row], pandas.DataFrame]: ...

    def history(
        self,
        samples: int = SAMPLES_DEFAULT,
        keys: Optional[Sequence[str]] = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Union[List[Row], pandas.DataFrame]:
        """At most `samples` rows of the history, evenly chosen, the first and the last among them.

        keys: only these metrics, `x_axis` before them, of rows that have all of them. pandas: a DataFrame, as far as
        pandas is installed; otherwise a list of dictionaries. stream: `"system"` for the machine's metrics instead.

        Raises ValueError for keys that are none, CommError.
        """
        rows = read_history(self._source, self._where, samples, keys, x_axis, stream)
        return as_pandas_if_possible(rows) if pandas else rows

    def scan_history(
        self,
        keys: Optional[Sequence[str]] = None,
        page_size: int = 1000,
        min_step: int = 0,
        max_step: Optional[int] = None,
        use_cache: bool = True,
    ) -> HistoryScan:
        """All rows of the history, streamed in order of step, in constant memory for any number.

        keys: only these metrics, of rows that have all of them. page_size: how many are asked for at once.
        min_step, max_step: only steps from the one up to, and without, the other. `use_cache` changes nothing: rows are
        read afresh.

        Raises ValueError for keys that are none, CommError.
        """
        check_keys(keys)
        behind = self.lastHistoryStep + 1
        stop = behind if max_step is None else min(max_step, behind)
        return HistoryScan(self._source, self._where, min_step, stop, keys, page_size)

    def beta_scan_history(
        self,
        keys: Optional[Sequence[str]] = None,
        page_size: int = 1000,
        min_step: int = 0,
        max_step: Optional[int] = None,
        use_cache: bool = True,
    ) -> HistoryScan:
        """`scan_history`, under its name of a while."""
        return self.scan_history(keys, page_size, min_step, max_step, use_cache)

    @property
    def lastHistoryStep(self) -> int:
        """The highest step of the history; -1 where it has no rows."""
        return last_step(self._source, self._where, HISTORY_KEYS)

    def download_history_exports(
        self, download_dir: PathLike, require_complete_history: bool = True
    ) -> DownloadHistoryResult:
        """Fetch the Parquet files that the server has made of the history into a folder.

        Raises IncompleteRunHistoryError where there are rows that it has made none of, unless that is allowed.
        """
        return download_exports(self._source, self._where, Path(download_dir), require_complete_history)

    # --- files and console --------------------------------------------------------------------------------------------

    def files(self, names: Optional[Sequence[str]] = None, pattern: Optional[str] = None, per_page: int = 50) -> Files:
        """The run's files: all, those of some names, or those whose names are like a pattern, `"%.json"` say.

        Raises ValueError for names and a pattern at once.
        """
        from .files import Files

        return Files(self._source, self._run, names, per_page, pattern=pattern)

    def file(self, name: str) -> File:
        """The file of a name. One that isn't there has the size 0. Raises CommError."""
        return self.files([name])[0]

    def upload_file(self, path: str, root: str = ".") -> File:
        """Add a file of this machine to the run, under its path as seen from the folder `root`.

        Raises ValueError for a file that isn't below it, CommError, OSError.
        """
        from .files import upload_file

        return upload_file(self._source, self._run, path, root)

    def console_logs(self, *, per_page: int = 1000, last: Optional[int] = None) -> ConsoleLogs:
        """What the program wrote to its terminal, line by line; with `last`, only that many lines at the end."""
        from .console_logs import ConsoleLogs

        return ConsoleLogs(self._source, self._run, per_page, last)

    # --- artifacts ----------------------------------------------------------------------------------------------------

    def logged_artifacts(self, per_page: int = 100) -> RunArtifacts:
        """The artifacts that the run has logged."""
        from .artifacts import RunArtifacts

        return RunArtifacts(self._source, self._run, "logged", per_page)

    def used_artifacts(self, per_page: int = 100) -> RunArtifacts:
        """The artifacts that the run has used."""
        from .artifacts import RunArtifacts

        return RunArtifacts(self._source, self._run, "used", per_page)

    def use_artifact(self, artifact: Artifact, use_as: Optional[str] = None) -> Artifact:
        """Note that the run has used an artifact of `Api.artifact`. Raises ValueError for any other, CommError."""
        from .artifacts import use_artifact

        return use_artifact(self._source, self._run, artifact, use_as)

    def log_artifact(
        self,
        artifact: Artifact,
        aliases: Optional[Collection[str]] = None,
        tags: Optional[Collection[str]] = None,
    ) -> Artifact:
        """Note that the run has made an artifact of `Api.artifact`. Raises TypeError and ValueError for any other, and
        for one of another project, CommError."""
        from .artifacts import log_artifact

        return log_artifact(self._source, self._run, artifact, aliases, tags)

    @property
    def _run(self) -> Run:
        from .runs import Run

        assert isinstance(self, Run)
        return self

    def _execute(self, document: str, **variables: Any) -> Dict[str, Any]:
        return self._source.execute(document, {**self._where._asdict(), "name": self.id, **variables})
