"""Reading back what was logged: the public Api, and what older scripts call of the internal one.

public/            `wandb.Api` and the classes of its objects
_source.py         the seam below: what answers their documents
_client.py         a server; `_scan.py`, whole histories from it
_local/            logs on this machine
internal.py        `wandb.api`
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import public as public
    from .internal import Api as InternalApi
    from .public.api import Api as PublicApi

__all__ = ["InternalApi", "PublicApi"]


def __getattr__(name: str) -> Any:
    if name == "PublicApi":
        from .public.api import Api

        return Api
    if name == "InternalApi":
        from .internal import Api as Internal

        return Internal
    if name in ("internal", "public"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
