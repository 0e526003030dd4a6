"""GraphQL: the envelope, runs, resuming, reading."""

from __future__ import annotations

import json
from typing import Any

from live_server import UPSERT, LiveServer

from wandb.server._limits import GRAPHQL_BYTES_MAX

RESUME = """
query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id name entity { id name }
    bucket(name: $name, missingOk: true) {
      id name summaryMetrics displayName logLineCount historyLineCount eventsLineCount historyTail eventsTail
      config tags notes wandbConfig(keys: ["t"])
    }
  }
}
"""


def config(**entries: Any) -> str:
    return json.dumps({key: {"value": value} for key, value in entries.items()})


def test_an_empty_operation_name_is_the_only_operation(server: LiveServer) -> None:
    body = {"query": "query GetViewer { viewer { username } }", "operationName": "", "variables": {}}
    assert server.post("/graphql", body).json() == {"data": {"viewer": {"username": server.user}}}


def test_undeclared_variables_and_unused_parts_are_ignored(server: LiveServer) -> None:
    query = "query Q($unused: String) { viewer { username } } fragment F on User { id }"
    body = {"query": query, "operationName": "Q", "variables": {"other": 1, "unused": None}}
    assert server.post("/graphql", body).json() == {"data": {"viewer": {"username": server.user}}}


def test_errors_are_answered_as_graphql_errors(server: LiveServer) -> None:
    for query in ("query { nothing }", "query {", "query { project(name: 1) { id } }"):
        answer = server.post("/graphql", {"query": query})
        assert answer.status_code == 200
        assert answer.json()["data"] is None
        assert answer.json()["errors"][0]["message"]


def test_envelopes_of_the_wrong_form_are_refused(server: LiveServer) -> None:
    bodies: list[Any] = [
        [],
        {},
        {"query": 1},
        {"query": "{ viewer { id } }", "variables": []},
        {"query": "x" * 200_000},
    ]
    for body in bodies:
        answer = server.post("/graphql", body)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert server.post("/graphql", {"query": "x" * GRAPHQL_BYTES_MAX}).status_code == 413


def test_a_failed_mutation_leaves_nothing_behind(server: LiveServer) -> None:
    body = {"query": UPSERT, "variables": {"name": "r1", "project": "demo", "config": "not json"}}
    assert "config" in server.post("/graphql", body).json()["errors"][0]["message"]
    assert server.json("/api/projects") == {"projects": []}


def test_a_new_run_gets_a_name_an_entity_and_a_project(server: LiveServer) -> None:
    answer = server.execute(UPSERT)["upsertBucket"]
    assert answer["inserted"] is True
    run = answer["bucket"]
    assert run["project"] == {"name": "uncategorized", "entity": {"name": server.user}}
    assert len(run["name"]) == 8
    adjective, noun, number = run["displayName"].split("-")
    assert adjective.isalpha()
    assert noun.isalpha()
    assert number == "1"
    assert server.execute(UPSERT)["upsertBucket"]["bucket"]["displayName"].endswith("-2")


def test_a_config_only_update_clears_nothing_else(server: LiveServer) -> None:
    server.upsert(displayName="mine", notes="n", tags=["a", "b", "a"], config=config(lr=1))
    answer = server.upsert(config=config(lr=2))
    assert answer["inserted"] is False
    run = answer["bucket"]
    assert (run["displayName"], run["notes"], run["tags"]) == ("mine", "n", ["a", "b"])
    assert json.loads(run["config"]) == {"lr": {"value": 2}}


def test_the_config_keeps_what_clients_do_not_send_again(server: LiveServer) -> None:
    first = {"t": {"1": 1}, "m": [{"1": "loss"}], "e": {"one": {"os": "x"}}}
    server.upsert(config=config(lr=1, old=1, _wandb=first))
    second = {"t": {"1": 2}, "m": [], "e": {"two": {"os": "y"}}}
    run = server.upsert(config=config(lr=2, _wandb=second))["bucket"]
    kept = {"t": {"1": 2}, "m": [{"1": "loss"}], "e": {"one": {"os": "x"}, "two": {"os": "y"}}}
    assert json.loads(run["config"]) == {"lr": {"value": 2}, "_wandb": {"value": kept}}
    run = server.upsert(config=config(lr=3))["bucket"]
    assert json.loads(run["config"]) == {"lr": {"value": 3}, "_wandb": {"value": kept}}


def test_resume_finds_counts_tails_and_telemetry(server: LiveServer) -> None:
    server.upsert(config=config(c=1, _wandb={"t": {"4": "3.11"}, "m": []}), tags=["x"])
    server.rows([{"_step": 0, "a": 1}, {"_step": 1, "a": 2}])
    files = {
        "wandb-events.jsonl": {"offset": 0, "content": ['{"system.cpu":1}']},
        "output.log": {"offset": 0, "content": ["one", "two", "three"]},
        "wandb-summary.json": {"offset": 0, "content": ['{"a":2,"_step":1}']},
    }
    server.stream({"files": files})
    bucket = server.execute(RESUME, project="demo", name="r1")["model"]["bucket"]
    counts = [bucket[name] for name in ("historyLineCount", "eventsLineCount", "logLineCount")]
    assert counts == [2, 1, 3]
    assert json.loads(json.loads(bucket["historyTail"])[0]) == {"_step": 1, "a": 2}
    assert json.loads(bucket["eventsTail"]) == ['{"system.cpu":1}']
    assert json.loads(bucket["summaryMetrics"]) == {"a": 2, "_step": 1}
    assert json.loads(bucket["wandbConfig"]) == {"t": {"4": "3.11"}}
    assert bucket["tags"] == ["x"]
    assert server.upsert()["bucket"]["historyLineCount"] == 2


def test_a_run_without_lines_can_still_be_resumed(server: LiveServer) -> None:
    server.upsert()
    bucket = server.execute(RESUME, project="demo", name="r1")["model"]["bucket"]
    assert [bucket["historyTail"], bucket["eventsTail"], bucket["wandbConfig"]] == ["[]", "[]", "{}"]
    assert [bucket["summaryMetrics"], bucket["config"]] == ["{}", "{}"]


def test_what_is_missing_is_null_and_no_error(server: LiveServer) -> None:
    assert server.execute(RESUME, project="nope", name="x") == {"model": None}
    server.upsert()
    assert server.execute(RESUME, project="demo", name="x")["model"]["bucket"] is None


def test_rewinding_forgets_later_rows(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "a": step} for step in range(10)])
    assert server.series("?keys=a")["a"]["x"][-1] == 9
    query = """
    mutation RewindRun($runName: String!, $entity: String, $project: String, $metricName: String!,
        $metricValue: Float!) {
      rewindRun(input: {runName: $runName, entityName: $entity, projectName: $project, metricName: $metricName,
          metricValue: $metricValue}) { rewoundRun { historyLineCount } }
    }
    """
    answer = server.execute(query, runName="r1", project="demo", metricName="_step", metricValue=4)
    assert answer["rewindRun"]["rewoundRun"]["historyLineCount"] == 5
    assert server.series("?keys=a")["a"]["x"] == [0, 1, 2, 3, 4]


def test_deleting_a_run_deletes_all_of_it(server: LiveServer) -> None:
    run = server.upsert()["bucket"]
    server.rows([{"_step": 0}])
    server.execute("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=run["id"])
    assert server.execute(RESUME, project="demo", name="r1")["model"]["bucket"] is None
    assert server.upsert()["bucket"]["historyLineCount"] == 0


def test_names_that_break_addresses_are_refused_with_a_reason(server: LiveServer) -> None:
    for variables in ({"name": "a/b"}, {"name": "x" * 129}, {"project": "a#b"}, {"entity": "api"}, {"name": ".."}):
        answer = server.post("/graphql", {"query": UPSERT, "variables": {"name": "ok", "project": "ok", **variables}})
        assert "name" in answer.json()["errors"][0]["message"]


def test_a_scan_reads_whole_pages_by_step(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step * 2, "a": step} for step in range(50)])
    page = "history(minStep: 10, maxStep: 20, samples: 2)"
    assert [json.loads(row)["_step"] for row in server.run(page)["history"]] == [10, 12, 14, 16, 18]
    spec = json.dumps({"keys": ["_step", "a"], "minStep": 90, "maxStep": 98, "samples": 100})
    rows = server.run(f"sampledHistory(specs: [{json.dumps(spec)}])")["sampledHistory"][0]
    assert rows == [{"_step": step, "a": step // 2} for step in range(90, 99, 2)]
    live = server.run('parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData }')["parquetHistory"]
    assert live == {"parquetUrls": [], "liveData": [{"_step": 0}]}


def test_samples_are_even_and_keep_both_ends(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step} for step in range(1001)])
    steps = [json.loads(row)["_step"] for row in server.run("history(samples: 11)")["history"]]
    assert steps == list(range(0, 1001, 100))


def test_sampled_rows_hold_every_key_that_was_asked_for(server: LiveServer) -> None:
    server.upsert()
    rows: list[dict[str, Any]] = [{"_step": 0, "a": 1}, {"_step": 1, "b": {"c": 2}, "a": 3}, {"_step": 2, "b.c": 4}]
    server.rows([*rows, {"_step": 3, "text": "b", "a": 1}])
    spec = json.dumps(json.dumps({"keys": ["_step", "b.c"]}))
    assert server.run(f"sampledHistory(specs: [{spec}])")["sampledHistory"] == [
        [{"_step": 1, "b.c": 2}, {"_step": 2, "b.c": 4}]
    ]


def test_history_keys_describe_every_key(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1, "n": {"x": "t"}}, {"_step": 7, "a": float("nan"), "flag": True}])
    keys = server.run("historyKeys")["historyKeys"]
    assert keys["lastStep"] == 7
    assert keys["keys"]["a"]["typeCounts"] == [{"type": "number", "count": 2}]
    assert keys["keys"]["n.x"]["typeCounts"] == [{"type": "string", "count": 1}]
    assert keys["keys"]["flag"]["typeCounts"] == [{"type": "boolean", "count": 1}]


def test_documents_that_exhaust_a_parser_are_errors(server: LiveServer) -> None:
    deep = json.dumps({"a": {"value": json.loads("[" * 200 + "]" * 200)}})
    for query, variables in (
        ("{a" * 20_000, {}),
        (UPSERT, {"config": deep}),
        ('{ project(name: "x") { runs(filters: "' + "[" * 50_000 + '") { edges { cursor } } } }', {}),
    ):
        server.upsert(project="x")
        answer = server.post("/graphql", {"query": query, "variables": variables})
        assert answer.status_code == 200
        assert answer.json()["errors"]
    text = {"query": UPSERT, "variables": {"notes": "\ud800"}}
    assert server.post("/graphql", text).status_code == 400


def test_steps_beyond_64_bits_find_nothing_or_everything(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 3}])
    spec = json.dumps(json.dumps({"keys": ["_step"], "minStep": -(10**30), "maxStep": 10**30}))
    assert server.run(f"sampledHistory(specs: [{spec}])")["sampledHistory"] == [[{"_step": 3}]]
    query = 'query Q($first: Int64) { project(name: "demo") { run(name: "r1") { history(minStep: $first) } } }'
    assert server.execute(query, first=10**30)["project"]["run"]["history"] == []


def test_questions_of_older_clients_are_answered(server: LiveServer) -> None:
    server.upsert()
    machine = {"program": "train.py", "args": ["--lr", 1], "codePath": "train.py", "cpu_count": 8, "gpu_count": "many",
               "git": {"remote": "r", "commit": "c"}}  # fmt: skip
    ask = """{ model(name: "demo") { repo dockerImage buckets(first: 10) { edges { node { name } } } }
        project(name: "demo") { run(name: "r1") { runInfo { program args python codeSaved cpuCount gpuCount
            git { remote commit } } } } }"""
    assert server.execute(ask)["project"]["run"]["runInfo"] is None
    make = """mutation { createRunFiles(input: {projectName: "demo", runName: "r1", files: ["wandb-metadata.json"]}) {
        files { uploadUrl } } }"""
    url = server.execute(make)["createRunFiles"]["files"][0]["uploadUrl"]
    assert server.session.put(url, data=json.dumps(machine), timeout=30).status_code == 200
    found = server.execute(ask)
    assert found["model"] == {"repo": None, "dockerImage": None, "buckets": {"edges": [{"node": {"name": "r1"}}]}}
    assert found["project"]["run"]["runInfo"] == {
        "program": "train.py", "args": ["--lr", "1"], "python": None, "codeSaved": True, "cpuCount": 8,
        "gpuCount": None, "git": {"remote": "r", "commit": "c"},
    }  # fmt: skip
    server.session.put(url, data=b"[" * 100_000, timeout=30)
    assert server.execute(ask)["project"]["run"]["runInfo"] is None


def test_optional_behaviour_is_offered_by_name(server: LiveServer) -> None:
    features = server.execute("query { serverInfo { features { name isEnabled } } }")["serverInfo"]["features"]
    enabled = {feature["name"] for feature in features if feature["isEnabled"]}
    assert enabled >= {"FILESTREAM_GZIP", "STRUCTURED_CONSOLE_LOGS", "ARTIFACT_TAGS", "MARK_RUN_FILES_UPLOADED"}


def test_a_chart_that_a_user_made_is_kept_and_seen_by_who_may(server: LiveServer) -> None:
    create = """mutation C($entity: String!, $name: String!, $access: String!, $spec: JSONString!) {
        createCustomChart(input: {entity: $entity, name: $name, displayName: "Mine", type: "vega2", access: $access,
            spec: $spec}) { chart { id } } }"""
    query = (
        "query Q($entity: String!, $name: String!) { customChart(entity: $entity, name: $name) { displayName spec } }"
    )
    for name, access in (("open", "public"), ("mine", "PRIVATE")):
        made = server.execute(create, entity=server.user, name=name, access=access, spec='{"mark": "bar"}')
        assert made["createCustomChart"]["chart"]["id"] == f"{server.user}/{name}"
    server.execute(create, entity=server.user, name="open", access="PUBLIC", spec='{"mark": "line"}')
    found = server.execute(query, entity=server.user, name="open")["customChart"]
    assert found == {"displayName": "Mine", "spec": '{"mark": "line"}'}
    stranger = server.as_new_user("eve")
    seen = [
        stranger.post(
            server.url + "/graphql", json={"query": query, "variables": {"entity": server.user, "name": name}}
        )
        for name in ("open", "mine")
    ]
    assert [answer.json()["data"]["customChart"] is not None for answer in seen] == [True, False]
    bad = {"entity": server.user, "name": "x", "access": "PUBLIC", "spec": "[]"}
    assert "errors" in server.post("/graphql", {"query": create, "variables": bad}).json()
