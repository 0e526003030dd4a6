"""Runs of mode "disabled": a real Run to scripts, of which nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, TextIO

from wandb_storage import Record

from ..wandb_run import Run

if TYPE_CHECKING:
    from ...data_types._content import Content
    from ...data_types._sink import NameOf


class RunDisabled(Run):
    """A run of mode "disabled": config and summary work in memory, and nothing is recorded.

    >>> import wandb
    >>> run = wandb.init(mode="disabled")
    >>> run.log({"loss": 0.5})
    >>> run.summary["loss"], run.url
    (0.5, None)
    >>> run.finish()
    """

    def _append(self, record: Record) -> None:
        """Nothing is kept."""

    def _config_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        """Nothing is kept."""

    def _summary_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        """Nothing is kept."""

    def log(
        self,
        data: Mapping[str, Any],
        step: Optional[int] = None,
        commit: Optional[bool] = None,
        sync: Optional[bool] = None,
    ) -> None:
        """Take the row into the summary; nothing is recorded."""
        if step is not None:
            self._progress.step = max(self._progress.step, self._explicit_step(step))
        elif commit is not False:
            self._progress.step += 1
        self._latest.update(data)

    def save(self, glob_str: Any = None, base_path: Any = None, policy: str = "live", glob: bool = True) -> List[str]:
        """Save nothing."""
        return []

    def restore(
        self, name: str, run_path: Optional[str] = None, replace: bool = False, root: Optional[str] = None
    ) -> Optional[TextIO]:
        """Find nothing."""
        return None

    def log_code(
        self,
        root: Optional[str] = ".",
        name: Optional[str] = None,
        include_fn: Optional[Callable[..., bool]] = None,
        exclude_fn: Optional[Callable[..., bool]] = None,
    ) -> List[str]:
        """Keep nothing."""
        return []

    def _keep_media(self, content: Content, name_of: NameOf) -> str:
        return name_of(content)

    def _keep_labels(self, kind: str, key: str, labels: Any) -> None:
        """Keep nothing."""

    def _keep_table(self, table: Any, name: str, type: str, entry: str, incremental: bool) -> None:
        """Keep nothing."""

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: Optional[str] = "gradients",
        log_freq: int = 1000,
        idx: Optional[int] = None,
        log_graph: bool = False,
    ) -> None:
        """Watch nothing."""

    def flush(self) -> None:
        """Return."""

    def finish(
        self, exit_code: Optional[int] = None, quiet: Optional[bool] = None, wait: Optional[bool] = None
    ) -> None:
        """End the run."""
        if not self._finished:
            self._finished = True
            self._on_finish(self, True, wait)

    @property
    def disabled(self) -> bool:
        """True."""
        return True

    @property
    def dir(self) -> str:
        """The system's temporary folder: a place for what callbacks write, and not the run's."""
        import tempfile  # slow to import

        return tempfile.gettempdir()

    @property
    def sync_dir(self) -> str:
        """The same: there is no folder of the run."""
        return self.dir

    @property
    def url(self) -> Optional[str]:
        """None."""
        return None

    def __repr__(self) -> str:
        return f"<wandb.Run {self.id}, disabled>"
