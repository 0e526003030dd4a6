"""How a server is asked, as far as the environment says: proxies, headers that something before the server wants, and
whether it must prove who it is."""

from __future__ import annotations

import json
import os
from typing import Dict, Mapping

from ._transport import Manner

HEADERS_VARIABLE = "WANDB__EXTRA_HTTP_HEADERS"
INSECURE_VARIABLE = "WANDB_INSECURE_DISABLE_SSL"


def manner_in(environment: Mapping[str, str], manner: Manner) -> Manner:
    """`manner` with what an environment says."""
    proxies = {scheme: environment.get(f"{scheme}_proxy", "") for scheme in ("http", "https")}
    # What this process's environment says is found, with its exceptions, by the HTTP library.
    changed = {scheme: url for scheme, url in proxies.items() if url and url != os.environ.get(f"{scheme}_proxy")}
    return manner._replace(
        own_headers={**manner.own_headers, **_headers(environment.get(HEADERS_VARIABLE, ""))},
        proxies={**manner.proxies, **changed},
        verify=environment.get(INSECURE_VARIABLE, "").strip().lower() not in ("1", "true", "yes", "on"),
    )


def _headers(text: str) -> Dict[str, str]:
    """From JSON. What makes no sense has been said by whoever read it as a setting."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: str(one) for name, one in pairs if f"{name}{one}".isascii() and f"{name}{one}".isprintable()}
