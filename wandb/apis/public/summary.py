"""The summary of a run of the public Api: a dictionary whose changes go to the server when they are told to."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Mapping, Optional

from ...sdk._nested import Nested, plain
from ...sdk._values import storable

Save = Callable[[Dict[str, Any]], None]


class HTTPSummary(Nested):
    """A run's summary. What is set here stays here until `update()`, of the summary or of the run, sends it.

    >>> saved = []
    >>> summary = HTTPSummary({"best": {"loss": 0.5}}, saved.append)
    >>> summary["best"]["epoch"] = 3
    >>> summary.update({"loss": 0.6})
    >>> saved
    [{'best': {'loss': 0.5, 'epoch': 3}, 'loss': 0.6}]
    """

    __slots__ = ("_save", "_saved")

    def __init__(self, values: Mapping[str, Any], save: Save) -> None:
        super().__init__(values, lambda key, value: storable(value, f"summary.{key}"), lambda: None)
        object.__setattr__(self, "_save", save)
        object.__setattr__(self, "_saved", self._text())

    @property
    def _json_dict(self) -> Dict[str, Any]:
        """A plain copy, under the name by which scripts have always asked for it."""
        return {key: plain(value) for key, value in self.items()}

    @property
    def changed(self) -> bool:
        """Whether there is anything that hasn't been sent."""
        return bool(self._text() != self._saved)

    def _text(self) -> str:
        return json.dumps(self._json_dict)

    def __setitem__(self, key: str, value: Any) -> None:
        super().update({key: value})

    def update(  # type: ignore[override]
        self, key_vals: Optional[Mapping[str, Any]] = None, overwrite: bool = True, **more: Any
    ) -> None:
        """Set several keys and send the summary; without keys, send what was set. Raises CommError.

        overwrite: whether keys that are there already may change.
        """
        values = {**(key_vals or {}), **more}
        if not overwrite:
            values = {key: value for key, value in values.items() if key not in self}
        super().update(values)
        if self.changed:
            self._save(self._json_dict)
            object.__setattr__(self, "_saved", self._text())
