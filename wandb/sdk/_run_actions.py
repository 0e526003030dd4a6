"""What a run does beside logging rows: alerts, files, code, watching models; artifacts are in its base.

Each is loaded on first use.
"""

from __future__ import annotations

import datetime
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, TextIO, Union

from wandb_storage import Console, Preempting, Stream, Telemetry, dump_json

from ..errors import UsageError
from ._restored import Restored
from ._run_artifacts import RunArtifacts
from .wandb_alerts import AlertLevel, alert_record
from .wandb_settings import Settings

if TYPE_CHECKING:
    from ..data_types._content import Content
    from ..data_types._sink import NameOf
    from ._run_files import Location, RunFiles
    from ._run_media import RunMedia
    from ._watch import Watches


class RunActions(RunArtifacts):
    """The calls of a run that aren't about rows."""

    def __init__(self, settings: Settings, folder: Path, start: float, restored: Restored) -> None:
        super().__init__(settings, folder, start, restored)
        self._lock = threading.RLock()
        self._files: Optional[RunFiles] = None
        self._media: Optional[RunMedia] = None
        self._watches: Optional[Watches] = None

    def log(
        self,
        data: Mapping[str, Any],
        step: Optional[int] = None,
        commit: Optional[bool] = None,
        sync: Optional[bool] = None,
    ) -> None:
        """Log a row."""
        raise NotImplementedError

    def alert(
        self,
        title: str,
        text: str = "",
        level: Union[None, str, AlertLevel] = None,
        wait_duration: Union[None, float, datetime.timedelta] = None,
    ) -> None:
        """Send the run's owner a message. `wait_duration` (seconds or a timedelta): say it at most that often."""
        self._append(alert_record(title, text, level, wait_duration))

    def mark_preempting(self) -> None:
        """Record that the scheduler is about to take the machine."""
        self._append(Preempting(time=time.time()))

    def write_logs(self, text: str) -> None:
        """Add text to the run's console output without printing it."""
        self._append(Console(time=time.time(), stream=Stream.STDOUT, text=text if text.endswith("\n") else f"{text}\n"))

    def pin_config_keys(self, keys: Sequence[str] = ()) -> None:
        """Show these keys of the config at the top of the run's page, in this order, instead of those before.

        Raises UsageError for what is no list of texts.
        """
        if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
            raise UsageError(f"pin_config_keys: a list of the config's keys is expected, not {keys!r}")
        self._append(Telemetry(json=dump_json({"pinned_keys": list(keys)}), time=time.time()))

    def save(
        self,
        glob_str: Optional[Location] = None,
        base_path: Optional[Location] = None,
        policy: str = "live",
        glob: bool = True,
    ) -> List[str]:
        """Keep files with the run, below their path from `base_path` on; return where.

        policy: "now" takes a copy, "live" follows the file while the run lasts, "end" takes it as it is at the end.
        glob=False takes `glob_str` as it is written. Without one there is nothing to do: older scripts call it after
        a change of the run, and each is in the log already. Raises UsageError for a path that isn't below `base_path`.
        """
        if glob_str is None:
            return []
        return self._run_files().save(glob_str, base_path, policy, glob)

    def restore(
        self, name: str, run_path: Optional[str] = None, replace: bool = False, root: Optional[str] = None
    ) -> Optional[TextIO]:
        """Open a file that this run has saved, or the run `run_path` ([entity/project/]id); copy it below `root` (the
        run's files) where it isn't there. What this wandb folder doesn't have comes from the server.

        Returns None where the run has no such file. Raises CommError where the server can't be asked.
        """
        from ._run_restore import restore_file

        place = Path(self.dir if root is None else root)
        return restore_file(self._folder.parent, place, name, run_path or self.id, replace, self._settings)

    def log_code(
        self,
        root: Optional[str] = ".",
        name: Optional[str] = None,
        include_fn: Optional[Callable[..., bool]] = None,
        exclude_fn: Optional[Callable[..., bool]] = None,
    ) -> List[str]:
        """Keep a copy of the code below `root` with the run, without the secrets in it; return the paths.

        include_fn, exclude_fn: say whether a file belongs to it, by its path, or its path and the root. `name` is
        accepted for callers of other clients.
        """
        from . import _run_code

        return _run_code.copy_code(
            Path(root or "."), Path(self.dir), include_fn or _run_code.is_source,
            exclude_fn or _run_code.is_no_source, self._append,
        )  # fmt: skip

    def _run_files(self) -> RunFiles:
        with self._lock:
            if self._files is None:
                from ._run_files import RunFiles

                self._files = RunFiles(Path(self.dir), self._append)
            return self._files

    # --- media, as the data types know a run (wandb/data_types/_sink.py) ----------------------------------------------

    _media_home = "run"

    def _keep_media(self, content: Content, name_of: NameOf) -> str:
        return self._media_files().keep(content, name_of)

    def _keep_labels(self, kind: str, key: str, labels: Any) -> None:
        self._media_files().keep_labels(kind, key, labels)

    def _keep_table(self, table: Any, name: str, type: str, entry: str, incremental: bool) -> None:
        from ._run_media import log_table

        log_table(self, table, name, type, entry, incremental)

    def _media_files(self) -> RunMedia:
        with self._lock:
            if self._media is None:
                from ._run_media import RunMedia

                self._media = RunMedia(Path(self.dir), self._append, self._sync_first)
            return self._media

    def _sync_first(self, path: Path) -> None:
        raise NotImplementedError

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: Optional[str] = "gradients",
        log_freq: int = 1000,
        idx: Optional[int] = None,
        log_graph: bool = False,
    ) -> None:
        """Log histograms of a PyTorch model's gradients, parameters or both ("all"), every `log_freq` steps.

        They come with the next row that is logged. log_graph: put the graph of each model, as its next forward pass
        shows it, into the summary, as `graph_0` and so on. `criterion` is accepted for callers of other clients.
        """
        if self._watches is None:
            from ._watch import Watches

            self._watches = Watches(self._log_watched, lambda part: self.summary.update(part))
        self._watches.watch(models, log, log_freq, idx, log_graph)

    def _log_watched(self, part: Dict[str, Any]) -> None:
        if self._watches is not None and self._progress.complete:
            self._watches.row = self._progress.step
        self._log_part(part)

    def _complete_watched(self) -> None:
        """Complete a row that watching has begun and the program may never go on with: its metrics come elsewhere."""
        begun = self._watches.row if self._watches is not None else None
        if begun == self._progress.step and not self._progress.complete:
            self.log({})

    def _log_part(self, values: Dict[str, Any]) -> None:
        """Log a part of the next row, of values that are known to be storable."""
        raise NotImplementedError

    def unwatch(self, models: Any = None) -> None:
        """Watch these models no more, or none at all."""
        if self._watches is not None:
            self._watches.unwatch(models)

    def _label(self, repo: Optional[str] = None, code: Optional[str] = None, **more: Any) -> None:
        """Libraries say here by which code a run was made."""
        label = {key: str(value) for key, value in {"repo": repo, "code": code, **more}.items() if value is not None}
        self._append(Telemetry(json=dump_json({"label": label}), time=time.time()))
