"""Which user a request comes from, and whether a browser may make it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ._auth import Place, User, key_in_header, user_of_key, user_of_session
from ._limits import SHARE_LINKS_KEPT
from ._names import RunKey
from ._services import Services
from ._shares import shared_by
from ._store import Run, find_run

_SAFE_METHODS = frozenset({"GET", "HEAD"})

# Nobody has an empty name, so that this user owns nothing.
_GUEST = User(0, "", admin=False)


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def base_url_of(request: Request) -> str:
    """The address by which clients reach the server, without a slash at the end: what it was told, or what this client
    says."""
    return services_of(request).public_url or str(request.base_url).rstrip("/")


def cookie_name(services: Services) -> str:
    # Browsers send cookies to every port of a host, so each server has a name of its own.
    return f"wandb_session_{services.secret.server_id}"


def require_key(request: Request, connection: Connection) -> User:
    """The user of the request's API key."""
    key = sent_key(request)
    return noted(request, known_user(user_of_key(connection, services_of(request).secret, key)))


def noted(request: Request, user: User) -> User:
    """The same user; the log says who it was."""
    request.state.user = user.name
    return user


def sent_key(request: Request) -> str:
    key = key_in_header(request.headers)
    if key is None:
        raise _unauthorized("no API key was sent; log in with `wandb login --host URL`")
    return key


def known_user(user: User | None) -> User:
    """The user that a key was looked up for."""
    if user is None:
        raise _unauthorized(
            "this server does not know the API key; make one on its machine with "
            "`wandb server key`, then log in with `wandb login --relogin --host URL`"
        )
    return user


def session_user(request: Request, connection: Connection) -> User | None:
    """The user of the request's browser session, if there is one."""
    services = services_of(request)
    token = request.cookies.get(cookie_name(services))
    if not token:
        return None
    return user_of_session(connection, services.secret, token, services.clock())


def share_cookie_name(services: Services) -> str:
    return f"wandb_share_{services.secret.server_id}"


def share_tokens(request: Request) -> list[str]:
    """Of the links to projects that a browser has opened, the last one last."""
    text = request.cookies.get(share_cookie_name(services_of(request)), "")
    return [token for token in text.split(".") if token][-SHARE_LINKS_KEPT:]


def browser_user(request: Request, connection: Connection) -> User | None:
    """Who looks at a page: a user, a guest who has a link, or a user who has one."""
    services = services_of(request)
    user = session_user(request, connection)
    shared = shared_by(connection, services.secret, share_tokens(request), services.clock())
    if shared is not None:
        return replace(user or _GUEST, shared=shared.projects, shared_runs=shared.runs)
    return user


def require_user(request: Request, connection: Connection) -> User:
    """The user of the API key or of the browser session; a guest only looks."""
    if "authorization" in request.headers:
        return require_key(request, connection)
    user = browser_user(request, connection)
    if user is None or (user.is_guest and request.method not in _SAFE_METHODS):
        raise HTTPException(401, "sign in first, or send an API key")
    if request.method not in _SAFE_METHODS:
        require_same_origin(request)
    return noted(request, user)


def require_same_origin(request: Request) -> None:
    """Refuse a change that another site made a signed-in browser ask for.

    The cookie is SameSite=Lax already; this also covers other ports of the same host, which
    count as the same site.
    """
    if request.headers.get("origin") != base_url_of(request):
        raise HTTPException(403, "this request did not come from a page of this server")


def require_edit(user: User, place: Place) -> None:
    if not user.may_edit(place):
        raise HTTPException(403, f"user {user.name!r} may look at projects of {place.entity!r} but not change them")


def run_of_path(request: Request, connection: Connection, user: User) -> Run:
    """The run that a path names, if the user may see it."""
    key = run_key_of_path(request)
    return seen_run(user, key, find_run(connection, key))


def run_key_of_path(request: Request) -> RunKey:
    parameters = request.path_params
    return RunKey(parameters["run"], parameters["project"], parameters["entity"])


def seen_run(user: User, key: RunKey, run: Run | None) -> Run:
    """The run that was looked up by its names, if the user may see it, be it by a link to this run alone.

    What else may be seen is a matter of the project (``User.may_see``), so such a link opens nothing but this.
    """
    if run is None or not (run.id in user.shared_runs or user.may_see(run)):
        # One answer for both, so that names can't be probed.
        raise HTTPException(404, f"run {'/'.join(reversed(key))!r} was not found")
    return run


def _unauthorized(message: str) -> HTTPException:
    return HTTPException(401, message, headers={"WWW-Authenticate": 'Basic realm="wandb"'})
