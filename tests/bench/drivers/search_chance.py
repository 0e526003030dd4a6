"""Random search of this client: what the others must beat."""

from __future__ import annotations

from .search_ours import Client as _Ours


class Client(_Ours):
    method = "random"
