"""The server's side of all runs: its credentials and whether it takes them, and what all requests to it share.

`connection` is for whoever has a question or two.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, FrozenSet, Iterator, List, Mapping, Optional, Set

from ._credentials import find_api_key, fingerprint
from ._documents import SERVER_FEATURES
from ._errors import CredentialError, CredentialsRefused, Refused
from ._home import normalize_url
from ._identity import VARIABLE as IDENTITY_VARIABLE
from ._identity import IdentityTokens, identity_file
from ._manner import manner_in
from ._retry import Breaker
from ._transport import Manner, Transport

# How often other credentials are looked for, and when the refused ones are tried once more: access may have been given
# at the server, which changes nothing here.
LOOK_SECONDS = 2.0
TRY_AGAIN_SECONDS = 900.0
# Files of all runs that are under way at once. They wait for the network most of the time.
FILE_WORKERS = 8

Clock = Callable[[], float]


class Destination:
    """One server. Safe between threads; each thread has a connection of its own."""

    def __init__(
        self, base_url: str, environment: Mapping[str, str] = os.environ, clock: Clock = time.monotonic,
        manner: Manner = Manner(),  # noqa: B008 - it can't change
    ) -> None:  # fmt: skip
        self.base_url = base_url
        self.paused = ""  # why nothing is sent
        self.breaker = Breaker(clock)
        self.environment = environment
        self._manner = manner_in(environment, manner)
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: Set[str] = set()
        self._used = ""  # fingerprint of the key of the last requests
        self._paused_at = 0.0
        self._looked_at = 0.0
        self._local = threading.local()
        self._transports: List[Transport] = []
        self._files: Optional[ThreadPoolExecutor] = None
        self._features: Optional[FrozenSet[str]] = None
        path = identity_file(environment)
        self._identity = IdentityTokens(path, self._exchange, clock) if path is not None else None

    def close(self) -> None:
        """Let go of threads and connections; what is under way ends by itself."""
        if self._files is not None:
            self._files.shutdown(wait=False)
            self._files = None
        with self._lock:
            for transport in self._transports:
                transport.close()
            self._transports.clear()
            self._local = threading.local()

    def transport(self) -> Transport:
        """This thread's connection."""
        found: Optional[Transport] = getattr(self._local, "transport", None)
        if found is None:
            found = self._local.transport = self.new_transport()
            with self._lock:
                self._transports.append(found)
        return found

    def new_transport(self) -> Transport:
        """A connection for the caller to close."""
        return Transport(self.base_url, self.key, self._manner)

    @property
    def files(self) -> ThreadPoolExecutor:
        """The threads that send files."""
        with self._lock:
            if self._files is None:
                self._files = ThreadPoolExecutor(FILE_WORKERS, thread_name_prefix="file")
            return self._files

    def takes_gzip(self) -> bool:
        """Whether the stream may be compressed; on this machine it would cost more than it saves."""
        return not self.transport().on_this_machine and self.supports("FILESTREAM_GZIP")

    def supports(self, feature: str) -> bool:
        """Whether the server says that it has a feature. Asked once; one that doesn't know the question has none."""
        if self._features is None:
            try:
                data = self.transport().graphql("ServerFeaturesQuery", SERVER_FEATURES, {})
                found = (data.get("serverInfo") or {}).get("features") or []
                self._features = frozenset(str(one.get("name")) for one in found if one.get("isEnabled") is True)
            except (Refused, AttributeError, TypeError):
                self._features = frozenset()
        return feature in self._features

    # --- credentials --------------------------------------------------------------------------------------------------

    def key(self) -> Optional[str]:
        """An API key, or a BearerToken. Raises CredentialsRefused where the file that should hold one can't be read."""
        if self._identity is not None:
            return self._identity.token()
        with self._lock:
            try:
                key = find_api_key(self.base_url, self.environment, self._refused)
            except CredentialError as error:
                raise CredentialsRefused(str(error)) from None
            self._used = fingerprint(key) if key else ""
            return key

    def _exchange(self, assertion: str) -> tuple[str, float]:
        transport = Transport(self.base_url, lambda: None, self._manner)
        try:
            return transport.exchange(assertion)
        finally:
            transport.close()

    def pause(self, error: CredentialsRefused) -> bool:
        """Stop sending until there are other credentials. Returns whether others are there already."""
        if self._identity is not None and self._identity.discard():
            return True
        with self._lock:
            had_key = bool(self._used)
            if had_key:
                self._refused.add(self._used)
            if had_key and self._other_key():
                return True
            if self._identity is not None:
                self.paused = f"{error}. The upload goes on by itself when the server takes the identity token"
            else:
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
            again = LOOK_SECONDS * 15 if self._identity is not None else TRY_AGAIN_SECONDS
            if now - self._paused_at >= again:
                self._refused.clear()
                self.paused = ""
                return True
            if now - self._looked_at < LOOK_SECONDS:
                return False
            self._looked_at = now
            if self._identity is None and self._other_key():
                self.paused = ""
                return True
            return False

    def _other_key(self) -> bool:
        try:
            return find_api_key(self.base_url, self.environment, self._refused) is not None
        except CredentialError:
            return False


@contextlib.contextmanager
def connection(
    base_url: str, environment: Mapping[str, str] = os.environ, key: Optional[str] = None
) -> Iterator[Transport]:
    """A connection with the credentials of an environment, or with `key`. Raises CredentialError where there are
    none, NotUploadable for what is no server's address."""
    if key:
        environment = {**environment, "WANDB_API_KEY": key, IDENTITY_VARIABLE: ""}
    destination = Destination(normalize_url(base_url), environment)
    try:
        if destination.key() is None:
            where = "run `wandb login` or set WANDB_API_KEY"
            raise CredentialError(f"there is no API key for {destination.base_url}; {where}")
        yield destination.transport()
    finally:
        destination.close()
