"""What the pages of a project ask for: the table and its columns, charts of several runs, changes in bulk."""

from __future__ import annotations

import json
from typing import Any

import requests
from live_server import LiveServer
from test_teams import INVITE


def table(server: LiveServer, query: str = "", project: str = "demo") -> Any:
    return server.json(f"/api/projects/{server.user}/{project}/runs?{query}")


def change(server: LiveServer, **asked: Any) -> requests.Response:
    return server.post(f"/api/projects/{server.user}/demo/runs/change", asked)


def some_runs(server: LiveServer) -> None:
    for number, name in enumerate("abc"):
        config = {"lr": {"value": 0.1**number}, "opt": {"value": {"name": "adam", "beta": [0.9, number]}}}
        summary = {"loss": number, "_step": 4, "picture": {"_type": "image-file"}, "long": "x" * 1000}
        server.upsert(name, config=json.dumps(config), summaryMetrics=json.dumps(summary), tags=[f"t{number}"])


def test_the_table_speaks_the_language_of_the_api(server: LiveServer) -> None:
    some_runs(server)
    filters = json.dumps({"$or": [{"config.lr": {"$lt": 0.05}}, {"tags": "t0"}]})
    found = table(server, f"filters={filters}&order=-summary_metrics.loss&first=2")
    assert [run["id"] for run in found["runs"]] == ["c", "a"]
    assert (found["total"], found["matching"]) == (3, 2)
    assert [run["id"] for run in table(server, f"filters={filters}&order=%2Brows&offset=1")["runs"]] == ["a"]
    assert table(server, 'filters={"state":"crashed"}')["matching"] == 0
    for wrong in ("filters=[", 'filters={"a":{"$odd":1}}', "first=-1", "offset=x"):
        assert server.get(f"/api/projects/{server.user}/demo/runs?{wrong}").status_code == 400


def test_columns_that_differ_come_first_and_cells_are_short(server: LiveServer) -> None:
    some_runs(server)
    found = table(server)
    assert found["columns"] == ["summary.loss", "summary.long", "config.lr", "config.opt.beta", "config.opt.name"]
    values = found["runs"][0]["values"]
    assert values["config.opt.beta"] == "[0.9, 2]"
    assert len(values["summary.long"]) < 250
    shown = table(server, "columns=summary.picture&with=config.lr")["runs"][0]["values"]
    assert shown == {"summary.picture": {"_type": "image-file"}, "config.lr": 0.1**2}
    columns = {one["key"]: one for one in server.json(f"/api/projects/{server.user}/demo/columns")["columns"]}
    assert columns["config.lr"] == {
        "key": "config.lr", "runs": 3, "numeric": True, "varied": True,
        "values": sorted(json.dumps(0.1**number) for number in range(3)),
    }  # fmt: skip
    assert not columns["config.opt.name"]["varied"]


def test_an_answer_that_did_not_change_is_not_sent_again(server: LiveServer) -> None:
    some_runs(server)
    path = f"/api/projects/{server.user}/demo/runs"
    tag = server.get(path).headers["ETag"]
    assert server.get(path, headers={"If-None-Match": tag}).status_code == 304
    server.upsert("a", tags=["other"])
    assert server.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_charts_of_several_runs_share_their_places(server: LiveServer) -> None:
    for name in "ab":
        server.upsert(name, config=json.dumps({"_wandb": {"value": {"m": [{"1": "epoch"}, {"2": "val/*", "5": 1}]}}}))
        rows = [{"_step": step, "loss": step, "acc": 1, "epoch": step // 2} for step in range(1000)]
        server.rows(rows, name=name)
    base = f"/api/projects/{server.user}/demo"
    found = server.json(f"{base}/metrics?runs=a&runs=b&runs=gone")
    assert found == {"metrics": ["acc", "epoch", "loss"], "axes": [["val/*", "epoch"]]}
    series = server.json(f"{base}/series?runs=a&runs=b&keys=loss&keys=acc&points=100")
    assert series["complete"] is True
    for name in "ab":
        run = series["runs"][name]
        (places,) = run["xs"]
        assert len(places) <= 100
        loss = run["series"]["loss"]
        assert (loss["high"][-1], min(loss["low"])) == (999, 0)
    over = server.json(f"{base}/series?runs=a&keys=loss&x=epoch&from=10&to=12")["runs"]["a"]
    assert over["series"]["loss"]["last"] == [20, 21, 22, 23, 24, 25]
    many = "&".join(f"runs={number}" for number in range(201))
    assert server.get(f"{base}/series?{many}").status_code == 400


def test_runs_are_changed_together_or_not_at_all(server: LiveServer) -> None:
    some_runs(server)
    assert change(server, runs=["a", "b"], add_tags=["good", "t0"], remove_tags=["t1"], group="g").status_code == 200
    shown = {run["id"]: (run["tags"], run["group"]) for run in table(server)["runs"]}
    assert shown == {"a": (["t0", "good"], "g"), "b": (["good", "t0"], "g"), "c": (["t2"], None)}
    assert change(server, runs=["c", "gone"], name="other").status_code == 404
    assert change(server, runs=["c"], odd=1).status_code == 400
    assert change(server, runs=["c"], add_tags="text").status_code == 400
    assert change(server, runs=["c"], name="").status_code == 400
    assert change(server, runs="c").status_code == 400
    assert [run["name"] for run in table(server)["runs"] if run["id"] == "c"] != ["other"]
    assert change(server, runs=["a", "b"], delete=True).status_code == 200
    assert [run["id"] for run in table(server)["runs"]] == ["c"]


def test_who_may_only_look_changes_nothing(server: LiveServer) -> None:
    server.execute('mutation { createTeam(input: {teamName: "crew"}) { entity { name } } }')
    server.upsert("r", project="p", entity="crew")
    base = f"{server.url}/api/projects/crew/p"
    with server.as_new_user("watcher") as viewer, server.as_new_user("stranger") as stranger:
        server.execute(INVITE, username="watcher", role="viewer")
        assert viewer.get(f"{base}/runs", timeout=30).json()["may_change"] is False
        for path, asked in (("runs/change", {"runs": ["r"], "delete": True}), ("settings", {"delete": True})):
            assert viewer.post(f"{base}/{path}", json=asked, timeout=30).status_code == 403
        role = {"user": "watcher", "role": "admin"}
        assert viewer.post(f"{server.url}/api/teams/crew", json=role, timeout=30).status_code == 404
        assert server.post("/api/teams/crew", {"user": server.user, "role": None}).status_code == 400
        assert server.post("/api/teams/crew", role).status_code == 200
        for path in ("runs", "columns", "metrics", "series", "lineage?run=r", "queues", "settings"):
            assert stranger.get(f"{base}/{path}", timeout=30).status_code == 404, path


def test_the_console_is_searched_as_a_whole(server: LiveServer) -> None:
    server.upsert()
    lines = [
        f"2026-01-01T00:00:00.000000 line {number} {'Needle' if number % 100 == 7 else ''}" for number in range(500)
    ]
    server.stream({"files": {"output.log": {"offset": 0, "content": lines}}})
    assert server.run_api("/console?search=needle") == {"found": [7, 107, 207, 307, 407], "next": None}
    assert server.run_api("/console?search=needle&from=200")["found"] == [207, 307, 407]
    # What is looked for is the text, not the time before it.
    assert server.run_api("/console?search=2026")["found"] == []


def test_a_logged_page_is_shut_off_and_compressed_answers_are_the_same(server: LiveServer) -> None:
    server.upsert()
    query = """mutation { createRunFiles(input: {projectName: "demo", runName: "r1", files: ["a.html"]}) {
        files { uploadUrl } } }"""
    url = server.execute(query)["createRunFiles"]["files"][0]["uploadUrl"]
    requests.put(url, data=b"<script>1</script>", timeout=30)
    page = server.get(f"/sandbox/files/{server.user}/demo/r1/a.html")
    policy = page.headers["Content-Security-Policy"]
    assert page.text == "<script>1</script>"
    assert "sandbox allow-scripts;" in policy
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    allowed = server.get(f"/sandbox/files/{server.user}/demo/r1/a.html?network=allowed")
    assert "allow-same-origin" not in allowed.headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in allowed.headers["Content-Security-Policy"]
    assert requests.get(page.url, timeout=30).status_code == 401
    for library in ("plotly", "bokeh"):
        policy = server.get(f"/sandbox/figures/{library}").headers["Content-Security-Policy"]
        assert "sandbox allow-scripts;" in policy
        assert "connect-src" not in policy
    assert server.get("/sandbox/scripts/secret").status_code == 404
    some_runs(server)
    plain = server.get(f"/api/projects/{server.user}/demo/runs", headers={"Accept-Encoding": "identity"})
    packed = server.get(f"/api/projects/{server.user}/demo/runs", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()


def test_static_files_are_kept_under_the_address_of_their_version(server: LiveServer) -> None:
    text = requests.get(server.url + "/login", timeout=30).text
    address = text.partition('href="/static/')[2].partition('"')[0]
    assert address.startswith("v-")
    found = requests.get(f"{server.url}/static/{address}", timeout=30)
    assert (found.status_code, found.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    old = requests.get(f"{server.url}/static/v-00/style.css", timeout=30)
    assert (old.status_code, old.headers["Cache-Control"]) == (200, "no-cache")
