"""The pages: one shell that draws everything in the browser, and signing in and out."""

from __future__ import annotations

import hashlib
import html
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ._access import (
    base_url_of,
    browser_user,
    cookie_name,
    require_same_origin,
    services_of,
    share_cookie_name,
    share_tokens,
)
from ._auth import (
    User,
    create_session,
    delete_expired_tickets,
    end_session,
    redeem_sign_in_token,
    user_of_key,
)
from ._body import read_body
from ._limits import FORM_BYTES_MAX, SESSION_SECONDS, SHARE_LINKS_KEPT
from ._names import name_problem
from ._shares import shared_by


class _VersionConvertor(StringConvertor):
    """A version in an address of static files: what is no version is the name of a file."""

    regex = "v-[0-9a-f]+"


register_url_convertor("version", _VersionConvertor())

# Resolved: an editable install is made of links, which StaticFiles follows nowhere.
STATIC = Path(__file__).resolve().parent / "static"


def sign_in_path(token: str, next_path: str) -> str:
    return "/login?" + urlencode({"token": token, "next": next_path})


def local_path(text: str) -> str:
    """A path of this server; anything that a browser could take for another host becomes ``/``."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text:
        return "/"
    return "/" if any(ord(character) < 32 for character in text) else text


def _shell(request: Request) -> Response:
    """Every page of the dashboard. The address says what the script draws into it."""
    entity = request.path_params.get("entity")
    if entity is not None and name_problem("entity", entity):
        raise HTTPException(404, f"there is no page at {request.url.path}")
    with services_of(request).database.read() as connection:
        user = browser_user(request, connection)
    if user is None:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/login?" + urlencode({"next": here}), 303)
    return HTMLResponse(page_text("shell.html"))


def page_text(name: str) -> str:
    """A page of the static files, its references to others leading to these very contents."""
    text = (STATIC / name).read_text(encoding="utf-8")
    return text.replace('"/static/', f'"/static/{static_version()}/')


def static_version() -> str:
    """A name for what the static files are now. A browser may keep for ever what has such a name in its address."""
    found = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in STATIC.iterdir())
    return "v-" + hashlib.blake2b(repr(found).encode(), digest_size=8).hexdigest()


class _VersionedFiles(StaticFiles):
    """The static files under a version's address; an address of another version gets what is here, not to be kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = scope["path_params"].get("version") == static_version()
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response


def _login_form(next_path: str, message: str = "", status: int = 200) -> Response:
    page = Template(page_text("login.html")).substitute(next=html.escape(next_path), message=html.escape(message))
    return HTMLResponse(page, status_code=status)


def _login_page(request: Request) -> Response:
    next_path = local_path(request.query_params.get("next", "/"))
    token = request.query_params.get("token")
    if token is None:
        return _login_form(next_path)
    services = services_of(request)
    now = services.clock()
    with services.database.write() as connection:
        user = redeem_sign_in_token(connection, services.secret, token, now)
    if user is None:
        message = "This sign-in link was used already or is too old. Sign in with an API key."
        return _login_form(next_path, message, 401)
    return _signed_in(request, user, next_path)


async def _login(request: Request) -> Response:
    require_same_origin(request)
    body = await read_body(request, FORM_BYTES_MAX)
    form = parse_qs(body.decode("utf-8", "replace"))
    key = form.get("key", [""])[0].strip()
    next_path = local_path(form.get("next", ["/"])[0])
    return await run_in_threadpool(_sign_in_with_key, request, key, next_path)


def _sign_in_with_key(request: Request, key: str, next_path: str) -> Response:
    services = services_of(request)
    with services.database.read() as connection:
        user = user_of_key(connection, services.secret, key)
    if user is None:
        return _login_form(next_path, "This server does not know that API key.", 401)
    return _signed_in(request, user, next_path)


def _signed_in(request: Request, user: User, next_path: str) -> Response:
    services = services_of(request)
    now = services.clock()
    with services.database.write() as connection:
        delete_expired_tickets(connection, now)
        session = create_session(connection, services.secret, user, now)
    response = _redirect(next_path)
    _set_cookie(request, response, cookie_name(services), session)
    return response


def _redirect(path: str) -> Response:
    return RedirectResponse(quote(path, safe="/?&=%#:@!$'()*+,;~"), 303)


def _set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    secure = base_url_of(request).startswith("https:")
    response.set_cookie(name, value, max_age=int(SESSION_SECONDS), httponly=True, samesite="lax", secure=secure)


def _logout(request: Request) -> Response:
    require_same_origin(request)
    services = services_of(request)
    token = request.cookies.get(cookie_name(services), "")
    with services.database.write() as connection:
        end_session(connection, services.secret, token)
    response = RedirectResponse("/login", 303)
    for name in (cookie_name(services), share_cookie_name(services)):
        response.delete_cookie(name, httponly=True, samesite="lax")
    return response


def _open_share(request: Request) -> Response:
    """Let whoever comes by a link look at what it leads to, besides what they may see already."""
    services = services_of(request)
    token = request.path_params["token"]
    with services.database.read() as connection:
        found = shared_by(connection, services.secret, [token], services.clock())
    if found is None:
        return _login_form("/", "This link does not work any more. Sign in with an API key.", 401)
    tokens = [*(one for one in share_tokens(request) if one != token), token][-SHARE_LINKS_KEPT:]
    response = _redirect(local_path(request.query_params.get("next", "/")))
    _set_cookie(request, response, share_cookie_name(services), ".".join(tokens))
    return response


PAGE_ROUTES = [
    Route("/share/{token}", _open_share),
    Route("/login", _login_page),
    Route("/login", _login, methods=["POST"]),
    Route("/logout", _logout, methods=["POST"]),
    Mount("/static/{version:version}", _VersionedFiles(directory=STATIC)),
    Mount("/static", StaticFiles(directory=STATIC)),
    Route("/", _shell),
    Route("/account", _shell),
    Route("/{entity}", _shell),
    Route("/{entity}/{project}", _shell),
    Route("/{entity}/{project}/artifacts", _shell),
    Route("/{entity}/{project}/artifacts/{type}/{name}/{version}", _shell),
    Route("/{entity}/{project}/compare", _shell),
    Route("/{entity}/{project}/queues", _shell),
    Route("/{entity}/{project}/settings", _shell),
    Route("/{entity}/{project}/sweeps", _shell),
    Route("/{entity}/{project}/sweeps/{sweep}", _shell),
    Route("/{entity}/{project}/runs/{run}", _shell),
]
