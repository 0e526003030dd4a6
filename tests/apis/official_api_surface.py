"""What the official client shows of its public Api: names and parameters. Run with its Python, it prints the list.

python tests/apis/official_api_surface.py > tests/apis/official_api_surface.json
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, Dict, List, Optional

Members = Dict[str, Optional[List[str]]]


def members(kind: Any) -> Members:
    """The public members of a class: of methods the parameters with their defaults, None for properties."""
    found = {}
    for name in dir(kind):
        shown = not name.startswith("_") or name in ("__getitem__", "__iter__", "__len__", "__next__", "_repr_html_")
        if shown and not hasattr(BaseException, name):
            value = getattr(kind, name)
            found[name] = parameters(value) if callable(value) else None
    return found


def parameters(value: Any) -> List[str]:
    try:
        found = inspect.signature(value).parameters.values()
    except ValueError:  # written in C
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        one.name if one.default is one.empty else f"{one.name}={one.default!r}"
        for one in found
        if one.kind not in kinds and one.name not in ("self", "cls")
    ]


def surface() -> Dict[str, Any]:
    from wandb.apis import public

    kinds = {name: getattr(public, name) for name in dir(public) if not name.startswith("_")}
    found: Dict[str, Any] = {name: members(kind) for name, kind in kinds.items() if inspect.isclass(kind)}
    found["Api"]["__init__"] = parameters(public.Api)
    return found


if __name__ == "__main__":
    json.dump(surface(), sys.stdout, indent=1, sort_keys=True)
    print()
