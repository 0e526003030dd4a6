"""What libraries call of `wandb.util`; the name is theirs."""

from __future__ import annotations

import json
from typing import Any

from .sdk._names import new_run_id
from .sdk._values import storable


def generate_id(length: int = 8) -> str:
    """A new run id: letters and digits, whatever the seed of `random` is.

    >>> len(generate_id())
    8
    """
    return new_run_id(length)


def json_dumps_safer(obj: Any, **options: Any) -> str:
    """JSON of anything that `log` takes.

    >>> json_dumps_safer({"when": {2, 1}})
    '{"when": [1, 2]}'
    """
    return json.dumps(storable(obj, "value", for_config=True), **options)
