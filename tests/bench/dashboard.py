"""The dashboard in a browser: how long pages take to load, how soon they answer, what they transfer."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import requests

from ._bench import Bench
from ._peers import OURS
from ._report import NONE, Section, Table, megabytes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_METRICS = ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "perf/samples_per_second")
_UPSERT = """mutation U($name: String, $config: JSONString, $summary: JSONString) { upsertBucket(input: {name: $name,
    modelName: "many", config: $config, summaryMetrics: $summary}) { bucket { project { entity { name } } } } }"""
_OVERLAID = {"charts": 24, "lines": 10, "points": 400}


def measure(bench: Bench) -> Section:
    figures: Dict[str, Any] = {}
    if not _CHROMIUM.exists():
        bench.fail("dashboard", f"there is no browser at {_CHROMIUM}")
    else:
        figures = _measure(bench)
    sizes = bench.sizes
    return Section(
        "dashboard",
        "The dashboard in a browser",
        f"Chromium without a GPU, the server on the same machine. A project of {sizes.page_runs:,} runs with "
        f"{sizes.page_rows:,} rows each, of which ten are drawn; and a run of {sizes.page_metrics:,} metrics of "
        f"{sizes.page_points:,} points each, whose columns are stored as the server's indexer stores them, the rows "
        "left out. Loading: from the address until the table has its rows and the charts in view their lines, with an "
        "empty cache and with a full one; then from a drag across a chart until it is drawn closer, and from the jump "
        "to the page's last chart until that is drawn. Events: milliseconds from an input to the next picture, as the "
        "browser counts them.",
        [_pages(figures), _events(figures), _libraries(figures)] if figures else [],
        figures,
    )


def _measure(bench: Bench) -> Dict[str, Any]:
    from playwright.sync_api import Error, sync_playwright

    figures: Dict[str, Any] = {}
    with _server(bench.new_folder("dashboard")) as server, sync_playwright() as playwright:
        bench.say(f"dashboard: filling {bench.sizes.page_runs:,} runs")
        server.fill_runs(bench.sizes.page_runs, bench.sizes.page_rows)
        bench.say(f"dashboard: filling {bench.sizes.page_metrics:,} metrics of {bench.sizes.page_points:,} points")
        server.fill_wide(bench.sizes.page_metrics, bench.sizes.page_points)
        browser = playwright.chromium.launch(executable_path=str(_CHROMIUM), args=_FLAGS)
        parts: Dict[str, Callable[[], Dict[str, Any]]] = {
            "project": lambda: _load(browser, server, "/many", '.chart[data-lines="10"]', _use_project),
            "run": lambda: _load(browser, server, f"/wide/runs/{_Server.WIDE}", ".chart[data-lines]", _use_run),
            "libraries": lambda: _compared(browser, server),
        }
        for name, measured in parts.items():
            bench.say(f"dashboard: {name}")
            try:
                figures[name] = measured()
            except Error as error:  # the other parts have figures all the same
                bench.fail(OURS, f"dashboard: {name}: {error.message.splitlines()[0]}")
        browser.close()
    return figures


# --- The server and what is in it -------------------------------------------------------------------------------------


class _Server:
    """The application in a thread of this process, and ways to fill it."""

    WIDE = "wide"

    def __init__(self, data: Path) -> None:
        import uvicorn

        from wandb.server import create_app
        from wandb.server._auth import create_sign_in_token, ensure_first_user, first_user
        from wandb.server._pages import sign_in_path

        self.app = create_app(data)
        self.services = self.app.state.services
        with self.services.database.write() as connection:
            key = ensure_first_user(connection, self.services.secret, time.time())
            self.user = first_user(connection)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._uvicorn = uvicorn.Server(uvicorn.Config(self.app, log_level="warning", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self._socket],))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = ("api", key or "")
        self._token, self._path = create_sign_in_token, sign_in_path

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join()
        self._socket.close()

    def signed_in(self) -> str:
        with self.services.database.write() as connection:
            return self.url + self._path(
                self._token(connection, self.services.secret, self.user, time.time()), "/account"
            )

    def fill_runs(self, runs: int, rows: int) -> None:
        chance = np.random.default_rng(0)
        for number in range(runs):
            fall = np.exp(-np.arange(rows) / (rows / 5)) + chance.normal(0, 0.02, rows)
            history = [
                json.dumps({"_step": step, "_runtime": step * 2.0, **dict.fromkeys(_METRICS, round(float(value), 6))})
                for step, value in enumerate(fall)
            ]
            config: Dict[str, Any] = {
                f"group.{index // 5}.key{index}": {"value": round(chance.uniform(), 5)} for index in range(30)
            }
            config["_wandb"] = {"value": {"t": {}}}
            summary = {**json.loads(history[-1]), **{f"eval/{index}": chance.uniform() for index in range(10)}}
            self._execute(_UPSERT, name=f"run{number}", config=json.dumps(config), summary=json.dumps(summary))
            body = {"files": {"wandb-history.jsonl": {"offset": 0, "content": history}}}
            address = f"{self.url}/files/{self.user.name}/many/run{number}/file_stream"
            self.session.post(address, json={**body, "complete": True, "exitcode": 0}, timeout=60).raise_for_status()

    def _execute(self, query: str, **variables: Any) -> None:
        answer = self.session.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        if "errors" in answer.json():
            raise RuntimeError(answer.text)

    def fill_wide(self, metrics: int, points: int) -> None:
        """Store columns as the indexer does; a few of them made once, since making them is not what is measured."""
        from wandb.server._blocks import NewBlock, store_block
        from wandb.server._columns import STEPS, Cells, Column, encode_column, summary_of
        from wandb.server._limits import BLOCK_ROWS
        from wandb.server._lines import HISTORY
        from wandb.server._store import create_run, ensure_project, update_run

        database = self.services.database
        with database.write() as connection:
            project, _made = ensure_project(connection, self.user.name, "wide", time.time())
            run = create_run(connection, project, self.user, self.WIDE, time.time())
        chance = np.random.default_rng(1)
        places = np.arange(BLOCK_ROWS, dtype=np.uint32)
        values = [np.round(np.cumsum(chance.normal(0, 0.01, BLOCK_ROWS)) + index, 3) for index in range(16)]
        made = [
            (column, encode_column(column), summary_of(places, column.numbers).tobytes())
            for column in (Column(places, numbers, None, {"number": BLOCK_ROWS}) for numbers in values)
        ]
        names = [f"layer{index // 10}/metric{index}" for index in range(metrics)]
        blocks = math.ceil(points / BLOCK_ROWS)
        for number in range(blocks):
            block = NewBlock(number, Cells(), ())
            block.columns.clear()
            block.summaries.clear()
            steps = np.arange(BLOCK_ROWS, dtype=np.float64) + number * BLOCK_ROWS
            column = Column(places, steps, None, {"number": BLOCK_ROWS})
            for key, (own, data, summary) in [
                (STEPS, (column, encode_column(column), summary_of(places, steps).tobytes())),
                *((name, made[(index + number) % len(made)]) for index, name in enumerate(names)),
            ]:
                block.facts[key] = own.facts(number * BLOCK_ROWS)
                block.columns.append((key, data))
                block.summaries.append((key, summary))
            with database.write() as connection:
                store_block(connection, run.id, HISTORY, block)
        with database.write() as connection:
            changes = {"history_count": blocks * BLOCK_ROWS, "state": "finished", "finished_at": time.time()}
            update_run(connection, run.id, changes)


@contextlib.contextmanager
def _server(data: Path) -> Iterator[_Server]:
    server = _Server(data)
    server.start()
    try:
        yield server
    finally:
        server.stop()


# --- Looking at pages -------------------------------------------------------------------------------------------------


def _load(browser: Browser, server: _Server, path: str, drawn: str, use: Any) -> Dict[str, Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(server.signed_in())
    # The page on which one signs in has brought some of the scripts.
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    cold = _opened(page, server, path, drawn)
    page.goto("about:blank")
    warm = _opened(page, server, path, drawn)
    figures: Dict[str, Any] = {"cold": cold, "warm": warm, "waits": _waits(page)}
    page.evaluate(_COUNT_EVENTS)
    figures["use"] = use(page)
    context.close()
    return figures


def _opened(page: Page, server: _Server, path: str, drawn: str) -> Dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    transferred: List[float] = []
    session.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    began = time.perf_counter()
    page.goto(f"{server.url}/{server.user.name}{path}")
    page.locator(drawn).nth(2).wait_for()
    seconds = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    session.detach()
    return {"seconds": seconds, "bytes": sum(transferred), "requests": len(transferred)}


def _waits(page: Page) -> Dict[str, float]:
    """Milliseconds until charts are drawn of what had to be asked of the server."""
    first = page.locator(".chart canvas[role=img]").first
    box = first.bounding_box()
    assert box is not None
    begins = "document.querySelector('.chart').chart.lines[0]?.x[0]"
    whole = page.evaluate(begins)
    began = time.perf_counter()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_function(f"whole => {begins} > whole", arg=whole)
    waits = {"closer": 1000 * (time.perf_counter() - began)}
    first.dblclick()
    page.wait_for_function(f"whole => {begins} === whole", arg=whole)
    last = page.locator(".chart").last
    began = time.perf_counter()
    last.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.querySelectorAll('.chart')].at(-1).chart.lines.length")
    waits["last"] = 1000 * (time.perf_counter() - began)
    first.scroll_into_view_if_needed()
    return waits


# What the browser says of inputs: from the input to the picture that shows its effect.
_COUNT_EVENTS = """() => {
    globalThis.events = [];
    new PerformanceObserver((list) => globalThis.events.push(...list.getEntries().map((e) => [e.name, e.duration])))
        .observe({type: "event", durationThreshold: 16, buffered: false});
}"""


def _answers(page: Page, count: int) -> List[float]:
    """Of an action that was repeated, how long each took; those under 16 ms are not told by the browser."""
    page.wait_for_timeout(400)
    found: List[Tuple[str, float]] = page.evaluate("() => globalThis.events.splice(0)")
    durations = sorted((duration for _, duration in found), reverse=True)[:count]
    return sorted([*durations, *[8.0] * (count - len(durations))])


def _use_project(page: Page) -> Dict[str, List[float]]:
    use = {"moving over a chart": _hover(page)}
    page.locator("tr[data-run]").first.focus()
    for _ in range(40):
        page.keyboard.press("j")
    use["next row of the table"] = _answers(page, 40)
    for _ in range(10):
        page.locator("tr[data-run] .pick button").nth(2).click()
    use["showing and hiding a run"] = _answers(page, 10)
    search = page.get_by_role("searchbox", name="Search runs")
    search.press_sequentially("run99", delay=120)
    use["typing a search"] = _answers(page, 5)
    return use


def _use_run(page: Page) -> Dict[str, List[float]]:
    use = {"moving over a chart": _hover(page)}
    search = page.get_by_role("searchbox", name="Search metrics")
    search.press_sequentially("metric49", delay=120)
    use["typing a search"] = _answers(page, 8)
    page.get_by_role("slider", name="Smoothing").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    use["smoothing"] = _answers(page, 20)
    return use


def _hover(page: Page) -> List[float]:
    box = page.locator(".chart canvas[role=img]").first.bounding_box()
    assert box is not None
    for step in range(60):
        page.mouse.move(box["x"] + 50 + step * 3, box["y"] + 60 + step % 7)
    return _answers(page, 60)


# --- Our canvas beside plotly -----------------------------------------------------------------------------------------

_SERIES = """({lines, points}) => Array.from({length: lines}, (_, line) => {
    const x = Array.from({length: points}, (_, index) => index);
    const y = x.map((index) => Math.exp(-index / 90) + Math.sin(index * (line + 1)) / 20);
    return {id: String(line), name: "run " + line, color: "#5b6cff", x, last: y, marks: []};
})"""

_OURS = """async (sizes) => {
    const series = (SERIES)(sizes);
    const {Chart} = await import("/static/chart.js");
    const panel = {view: {smoothing: 0}, isLog: () => false, rangeOf: () => null, highlight() {}, point() {}};
    const began = performance.now();
    for (let index = 0; index < sizes.charts; index += 1) {
        const chart = new Chart("chart " + index, panel, "_step");
        document.querySelector("main").append(chart.element);
        chart.setLines(series);
    }
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - began;
}""".replace("SERIES", _SERIES)

_PLOTLY = """async (sizes) => {
    const series = (SERIES)(sizes);
    const traces = series.map(({x, last, name}) => ({type: sizes.type, mode: "lines", x, y: last, name}));
    const began = performance.now();
    for (let index = 0; index < sizes.charts; index += 1) {
        const place = document.createElement("div");
        place.style.cssText = "width: 360px; height: 220px";
        document.body.append(place);
        await Plotly.newPlot(place, traces, {showlegend: false, margin: {l: 40, r: 10, t: 10, b: 30}});
    }
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - began;
}""".replace("SERIES", _SERIES)


def _compared(browser: Browser, server: _Server) -> Dict[str, Dict[str, float]]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(server.signed_in())
    static = Path(__file__).resolve().parents[2] / "wandb" / "server" / "static"
    own = sum((static / name).stat().st_size for name in ("chart.js", "plot.js", "scale.js", "smoothing.js"))
    figures = {"this canvas": {"milliseconds": min(page.evaluate(_OURS, _OVERLAID) for _ in range(3)), "bytes": own}}
    response = page.goto(f"{server.url}/sandbox/scripts/plotly.min.js")
    assert response is not None
    script = response.body()
    page.goto(f"{server.url}/sandbox/figures/plotly")
    # The document loads no script by itself: whoever opens it hands plotly in, here its own window.
    page.evaluate("script => postMessage({scripts: [script]}, '*')", script.decode())
    page.wait_for_function("() => window.Plotly")
    drawn = min(page.evaluate(_PLOTLY, {**_OVERLAID, "type": "scatter"}) for _ in range(3))
    figures["plotly"] = {"milliseconds": drawn, "bytes": len(script)}
    context.close()
    return figures


# --- Tables -----------------------------------------------------------------------------------------------------------


def _pages(figures: Dict[str, Any]) -> Table:
    head = ("page", "first load, s", "MB", "requests", "again, s", "MB", "requests", "closer, ms", "its last chart, ms")
    table = Table(head)
    for name, what in (("project", "the project's runs and charts"), ("run", "the charts of the wide run")):
        if name not in figures:
            continue
        own = figures[name]
        cells = []
        for load in (own["cold"], own["warm"]):
            cells += [f"{load['seconds']:.2f}", megabytes(load["bytes"]), str(load["requests"])]
        table.rows.append((what, *cells, *(f"{own['waits'][wait]:.0f}" for wait in ("closer", "last"))))
    return table


def _events(figures: Dict[str, Any]) -> Table:
    table = Table(("page", "p50", "p95", "max"))
    for name in ("project", "run"):
        for what, durations in figures.get(name, {"use": {}})["use"].items():
            last = len(durations) - 1
            cells = (_spelled(durations[round(last * share)]) for share in (0.5, 0.95, 1.0))
            table.rows.append((f"{name}: {what}", *cells))
    return table


def _spelled(milliseconds: float) -> str:
    return "under 16" if milliseconds < 16 else f"{milliseconds:.0f}"


def _libraries(figures: Dict[str, Any]) -> Table:
    sizes = _OVERLAID
    head = f"{sizes['charts']} charts of {sizes['lines']} lines of {sizes['points']} points"
    table = Table((head, "ms to draw", "MB of script"))
    for name, own in figures.get("libraries", {}).items():
        table.rows.append((name, f"{own['milliseconds']:.0f}", f"{own['bytes'] / 1e6:.3f}"))
    return table if table.rows else Table((head, NONE, NONE))
