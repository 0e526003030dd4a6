"""What could run scripts of strangers, shut off: HTML that a run logged, and figures of plotly and bokeh.

Both are documents of their own with an opaque origin, by the ``sandbox`` directive of their content policy: they hold
for whoever opens the address, in a frame or not. Such a document has no cookie, reads nothing of the dashboard, and
reaches no network, unless the reader allows it for a page that wants scripts from elsewhere.

The scripts of plotly and bokeh come with the Python packages of these names; nothing is fetched.
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

# What they draw with is handed in as text by the page around, and both make functions of texts for some of it, too, and
# styles as they go.
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
    """The document that draws figures of a library: it takes them as messages from the page around it."""
    name = "bokeh.html" if request.path_params["library"] == "bokeh" else "figure.html"
    return HTMLResponse(page_text(name), headers={"Content-Security-Policy": _FIGURES})


def _script(request: Request) -> Response:
    """A script of plotly or bokeh, out of the Python package that brings it."""
    name = request.path_params["name"]
    package, folder = _SCRIPTS.get(name, ("", ""))
    found = importlib.util.find_spec(package) if package else None
    path = None if found is None else Path(found.origin or "").parent / folder / name
    if path is None or not path.is_file():
        raise HTTPException(
            404, f"on the server's machine: pip install {package}" if package else f"no script {name!r}"
        )
    # Named by nothing but its content, so a browser asks whether it changed.
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


_BOKEH = ("bokeh", "server/static/js")
_SCRIPTS = {
    "plotly.min.js": ("plotly", "package_data"),
    "bokeh.min.js": _BOKEH,
    "bokeh-gl.min.js": _BOKEH,
    "bokeh-widgets.min.js": _BOKEH,
    "bokeh-tables.min.js": _BOKEH,
}

SANDBOX_ROUTES = [
    Route("/sandbox/figures/{library}", _figures),
    Route("/sandbox/scripts/{name}", _script),
    Route("/sandbox/files/{entity}/{project}/{run}/{name:path}", _run_page),
]
