"""The server's side of all runs: its API key, and whether it takes it."""

from __future__ import annotations

import os
import threading
import time
from typing import Callable, Mapping, Optional, Set

from ._credentials import find_api_key, fingerprint
from ._errors import CredentialError, CredentialsRefused
from ._transport import Transport

# How often other credentials are looked for, and when the refused ones are tried once more: access may have been given
# at the server, which changes nothing here.
LOOK_SECONDS = 2.0
TRY_AGAIN_SECONDS = 900.0

Clock = Callable[[], float]


class Destination:
    """One server. Safe between threads; each thread has a connection of its own."""

    def __init__(
        self, base_url: str, environment: Mapping[str, str] = os.environ, clock: Clock = time.monotonic
    ) -> None:
        self.base_url = base_url
        self.paused = ""  # why nothing is sent
        self._environment = environment
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: Set[str] = set()
        self._used = ""  # fingerprint of the key of the last requests
        self._paused_at = 0.0
        self._looked_at = 0.0
        self._local = threading.local()

    def transport(self) -> Transport:
        """This thread's connection."""
        found: Optional[Transport] = getattr(self._local, "transport", None)
        if found is None:
            found = self._local.transport = self.new_transport()
        return found

    def new_transport(self) -> Transport:
        """A connection for the caller to close."""
        return Transport(self.base_url, self.key)

    def key(self) -> Optional[str]:
        """Raises CredentialsRefused where the netrc file can't be read."""
        with self._lock:
            try:
                key = find_api_key(self.base_url, self._environment, self._refused)
            except CredentialError as error:
                raise CredentialsRefused(str(error)) from None
            self._used = fingerprint(key) if key else ""
            return key

    def pause(self, error: CredentialsRefused) -> bool:
        """Stop sending until there is another key. Returns whether another one is there already."""
        with self._lock:
            had_key = bool(self._used)
            if had_key:
                self._refused.add(self._used)
            if had_key and self._other_key():
                return True
            advice = (
                "put a valid one into WANDB_API_KEY or run `wandb login`" if had_key
                else "there is none for this server: run `wandb login` or set WANDB_API_KEY"
            )  # fmt: skip
            self.paused = f"{error}. The API key: {advice}; the upload then goes on by itself"
            self._paused_at = self._looked_at = self._clock()
            return False

    @property
    def refused(self) -> Set[str]:
        """Fingerprints of the keys that the server refused."""
        with self._lock:
            return set(self._refused)

    def may_go_on(self) -> bool:
        """Whether requests make sense: not paused, or there may be other credentials by now."""
        with self._lock:
            if not self.paused:
                return True
            now = self._clock()
            if now - self._paused_at >= TRY_AGAIN_SECONDS:
                self._refused.clear()
                self.paused = ""
                return True
            if now - self._looked_at < LOOK_SECONDS:
                return False
            self._looked_at = now
            if self._other_key():
                self.paused = ""
                return True
            return False

    def _other_key(self) -> bool:
        try:
            return find_api_key(self.base_url, self._environment, self._refused) is not None
        except CredentialError:
            return False
