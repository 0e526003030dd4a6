"""API keys: finding, asking for and keeping them. Keys stand in the environment or in netrc, and nowhere else."""

from __future__ import annotations

import contextlib
import sys
import threading
from types import FrameType
from typing import Iterator, NoReturn, Optional

from .._terminal import termlog, termwarn
from ..errors import AuthenticationError, CommError, UsageError
from ._upload import uploader_environment
from .wandb_settings import Settings, merged


def api_key_for(base_url: str) -> Optional[str]:
    """The key for a server, from WANDB_API_KEY or netrc; None where there is none. Raises AuthenticationError."""
    from wandb_uploader import CredentialError, find_api_key

    try:
        return find_api_key(base_url)
    except CredentialError as error:
        raise AuthenticationError(str(error)) from None


def has_credentials(settings: Settings) -> bool:
    """Whether there is an API key or an identity token for the server. Raises AuthenticationError."""
    import wandb_uploader

    try:
        return wandb_uploader.has_credentials(settings.base_url, uploader_environment(settings))
    except wandb_uploader.CredentialError as error:
        raise AuthenticationError(str(error)) from None


def ask_for_key(base_url: str, timeout: Optional[float] = None, reading: bool = False) -> bool:
    """Ask whoever sits at the terminal for a key and keep it; False where they want none, or don't answer for
    `timeout` seconds. `reading` says that it is to read runs, not to log them."""
    import getpass

    from wandb_uploader import CredentialError, save_api_key

    purpose, otherwise = ("read runs of", "go without") if reading else ("upload runs to", "log offline")
    termlog(f"To {purpose} {base_url}, paste an API key (nothing is shown), or press Enter to {otherwise}.")
    while True:
        try:
            with _time_limit(timeout):
                key = getpass.getpass("wandb: API key: ").strip()
        except (EOFError, KeyboardInterrupt):
            return False
        except TimeoutError:
            termwarn(f"no key after {timeout:g} s")
            return False
        if not key:
            return False
        try:
            save_api_key(base_url, key)
            return True
        except CredentialError as error:
            termwarn(str(error))


@contextlib.contextmanager
def _time_limit(seconds: Optional[float]) -> Iterator[None]:
    """Raise TimeoutError after so long. A prompt can be interrupted by a signal only, and that in the main thread."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    import signal

    def end(number: int, frame: Optional[FrameType]) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def login(
    key: Optional[str] = None,
    relogin: Optional[bool] = None,
    host: Optional[str] = None,
    force: Optional[bool] = None,
    timeout: Optional[float] = None,
    verify: bool = False,
    referrer: Optional[str] = None,
    prompt: bool = True,
    anonymous: Optional[str] = None,
) -> bool:
    """Make sure that there is an API key for the server, or an identity token; return whether there is.

    >>> login(key="0123456789" * 4, host="https://wandb.example.com")
    True

    key: keep this one. relogin: ask even though there is one. force: raise where there is none instead of going on
    offline. timeout: wait so many seconds for somebody at the terminal. verify: ask the server whether it takes the
    key. prompt=False: ask nobody. `referrer` and `anonymous` are accepted for callers of other clients.
    """
    from wandb_uploader import CredentialError, save_api_key

    settings = merged(("login()", {"base_url": host}))
    base_url = settings.base_url
    if key is not None:
        try:
            save_api_key(base_url, key)
        except CredentialError as error:
            raise AuthenticationError(str(error)) from None
    found = bool(key) or (not relogin and has_credentials(settings))
    if not found and prompt and sys.stdin is not None and sys.stdin.isatty():
        found = ask_for_key(base_url, settings.login_timeout if timeout is None else timeout)
    if not found:
        if force:
            raise UsageError(f"there is no API key for {base_url}; run `wandb login` or set WANDB_API_KEY")
        termwarn(f"there is no API key for {base_url}: runs are logged offline until there is one")
        return False
    if verify:
        _verify(settings)
    return True


def _verify(settings: Settings) -> None:
    from wandb_uploader import CredentialError, UploadError, verify_api_key

    try:
        user = verify_api_key(settings.base_url, environment=uploader_environment(settings))
    except CredentialError as error:
        raise AuthenticationError(str(error)) from None
    except UploadError as error:
        raise CommError(str(error)) from None
    termlog(f"Currently logged in as: {user} to {settings.base_url}")
