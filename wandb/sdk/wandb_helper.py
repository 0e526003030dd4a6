"""`wandb.helper.parse_config`, by which scripts of the client of 2020 make a dictionary of their parameters."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from ._config_sources import chosen_config


def parse_config(
    params: Any, exclude: Optional[Sequence[str]] = None, include: Optional[Sequence[str]] = None
) -> Dict[str, Any]:
    """Everything that `init` takes as config, as a dictionary of the keys that are wanted.

    >>> import argparse
    >>> parse_config(argparse.Namespace(lr=0.1, verbose=True), exclude=["verbose"])
    {'lr': 0.1}

    Raises UsageError for both `include` and `exclude`, and for what is no config.
    """
    return chosen_config(params, include, exclude)
