"""What could run scripts of strangers, shut off: HTML that a run logged, and figures drawn by plotly.

Both are documents of their own with an opaque origin, by the ``sandbox`` directive of their content policy: they hold
for whoever opens the address, in a frame or not. Such a document has no cookie, reads nothing of the dashboard, and
reaches no network, unless the reader allows it for a page that wants scripts from elsewhere.

plotly.js comes with the Python package ``plotly``; nothing is fetched.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from ._access import require_user, run_of_path, services_of
from ._files import file_place, find_file
from ._pages import page_text

_FRAMED = "frame-ancestors 'self'; sandbox allow-scripts; base-uri 'none'; form-action 'none'"

_ALONE = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline' 'unsafe-eval' data: blob:",
        "style-src 'unsafe-inline' data:",
        "img-src data: blob:",
        "font-src data:",
        "media-src data: blob:",
        "worker-src blob:",
        _FRAMED,
    )
)

# What a reader allowed to load from elsewhere: still without an origin, so still without the reader's session.
_WITH_NETWORK = f"default-src https: http: data: blob: 'unsafe-inline' 'unsafe-eval'; {_FRAMED}"

# plotly makes functions of texts for what it draws with WebGL, and styles as it goes.
_FIGURES = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "worker-src blob:",
        _FRAMED,
    )
)

PLOTLY_MISSING = "Figures and 3D are drawn by plotly. On the server's machine: pip install plotly"


def _run_page(request: Request) -> Response:
    """An HTML file of a run, as a page."""
    services = services_of(request)
    name = request.path_params["name"]
    with services.database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        stored = find_file(connection, run.id, name)
    response = None
    if stored is not None:
        place = file_place(run.id, name)
        response = services.bytes.response(place, "text/html; charset=utf-8", name.rpartition("/")[2], "inline")
    if response is None:
        raise HTTPException(404, f"file {name!r} was not found")
    policy = _WITH_NETWORK if request.query_params.get("network") == "allowed" else _ALONE
    response.headers["Content-Security-Policy"] = policy
    return response


def _figures(request: Request) -> Response:
    """The document that draws figures: it takes them as messages from the page around it."""
    return HTMLResponse(page_text("figure.html"), headers={"Content-Security-Policy": _FIGURES})


def _plotly(request: Request) -> Response:
    found = importlib.util.find_spec("plotly")
    path = Path(found.origin or "").parent / "package_data" / "plotly.min.js" if found is not None else None
    if path is None or not path.is_file():
        raise HTTPException(404, PLOTLY_MISSING)
    # Named by nothing but its content, so a browser asks whether it changed.
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


SANDBOX_ROUTES = [
    Route("/sandbox/figure", _figures),
    Route("/sandbox/plotly.min.js", _plotly),
    Route("/sandbox/files/{entity}/{project}/{run}/{name:path}", _run_page),
]
