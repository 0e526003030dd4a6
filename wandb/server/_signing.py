"""Signed URLs: a path, a method and a time until which they are valid, under the server's secret."""

from __future__ import annotations

from urllib.parse import quote

from ._auth import ServerSecret


class UrlSigner:
    """Makes and checks the URLs by which bytes can be put or got without an API key."""

    def __init__(self, secret: ServerSecret) -> None:
        self._secret = secret

    def url(self, method: str, path: str, expires_at: float) -> str:
        """The path with its signature, to be put behind the address of the server."""
        expires = str(int(expires_at))
        return f"{quote(path)}?expires={expires}&signature={self._signature(method, path, expires)}"

    def problem(self, method: str, path: str, expires: str, signature: str, now: float) -> str | None:
        """Why a URL is not valid; None when it is."""
        if not self._secret.matches("file-url", _signed(method, path, expires), signature):
            return "the signature of this URL is not valid; ask the server for a new URL"
        if now > int(expires):
            return "this URL has expired; ask the server for a new one"
        return None

    def _signature(self, method: str, path: str, expires: str) -> str:
        return self._secret.digest("file-url", _signed(method, path, expires))


def _signed(method: str, path: str, expires: str) -> str:
    return f"{method}\n{expires}\n{path}"
