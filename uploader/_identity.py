"""Identity tokens: a file with a signed token, from the platform that runs the job, in place of an API key.

`WANDB_IDENTITY_TOKEN_FILE` names the file. The token in it is exchanged at the server for an access token of some
minutes, which is kept in memory only and renewed before it ends. The platform replaces the file now and then, so it is
read for each exchange.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Callable, Mapping, NamedTuple, Optional, Tuple

from ._credentials import BearerToken, find_api_key
from ._errors import CredentialsRefused

VARIABLE = "WANDB_IDENTITY_TOKEN_FILE"
# A token that ends within this time is renewed: a long request must not outlive it.
RENEW_SECONDS = 300.0
# A token that was refused this soon after it was given out is not at fault by its age.
_FRESH_SECONDS = 60.0
_TOKEN_BYTES_MAX = 64 << 10

Exchange = Callable[[str], Tuple[str, float]]


class _Access(NamedTuple):
    token: BearerToken
    given_at: float
    ends_at: float


class IdentityTokens:
    """Access tokens for one server. Safe between threads. `exchange` asks the server: (access token, its seconds)."""

    def __init__(self, path: Path, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._exchange, self._clock = path, exchange, clock
        self._lock = threading.Lock()
        self._access: Optional[_Access] = None

    def token(self) -> BearerToken:
        """A valid access token. Raises CredentialsRefused, TransientError."""
        with self._lock:
            now = self._clock()
            if self._access is None or self._access.ends_at - now <= min(
                RENEW_SECONDS, (self._access.ends_at - self._access.given_at) / 2
            ):
                token, seconds = self._exchange(self._read())
                self._access = _Access(BearerToken(token), now, now + seconds)
            return self._access.token

    def discard(self) -> bool:
        """The server refuses the access token. Returns whether a new one may help."""
        with self._lock:
            old, self._access = self._access, None
            return old is not None and self._clock() - old.given_at >= _FRESH_SECONDS

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                text = file.read(_TOKEN_BYTES_MAX).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsRefused(f"the identity token in {self._path} can't be read ({error})") from None
        if not text:
            raise CredentialsRefused(f"the file {self._path} for the identity token is empty")
        return text


def identity_file(environment: Mapping[str, str]) -> Optional[Path]:
    path = environment.get(VARIABLE, "").strip()
    return Path(path).expanduser() if path else None


def has_credentials(base_url: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an environment has an API key or an identity token for a server. Raises CredentialError where the netrc
    file is needed and can't be read."""
    return identity_file(environment) is not None or find_api_key(base_url, environment) is not None
