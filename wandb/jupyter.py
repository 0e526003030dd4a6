"""Notebooks, by the names that callers of the official client know. `import wandb` is all that a notebook needs."""

from __future__ import annotations

from typing import Any, Dict

from .sdk._jupyter import ipython, load_ipython_extension, notebook_path

__all__ = ["load_ipython_extension", "notebook_metadata"]

_load_ipython_extension = load_ipython_extension


def notebook_metadata(silent: bool = True) -> Dict[str, str]:
    """The notebook that runs this: `path` and `name`, as far as the editor or the server tells; empty elsewhere.

    >>> notebook_metadata()
    {}

    silent: accepted for callers of the official client.
    """
    from .sdk.wandb_settings import merged

    path = notebook_path(merged())
    return {"root": "", "path": path, "name": path.rpartition("/")[2]} if path else {}


def get_ipython() -> Any:
    """The shell of IPython's; None outside of it."""
    return ipython()
