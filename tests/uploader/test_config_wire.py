"""The config on the wire, and the addresses of a run's page."""

from __future__ import annotations

import pytest

from wandb_storage import MetricDefinition, RunStart, RunState, WriterLost
from wandb_uploader import NotUploadable, normalize_url, page_url
from wandb_uploader._config_wire import config_yaml, metric_definitions, wire_config


def test_metric_definitions_name_their_step_by_its_place() -> None:
    definitions = [
        MetricDefinition(name="val/*", step_metric="epoch", step_sync=True),
        MetricDefinition(name="epoch", hidden=True),
        MetricDefinition(name="acc", step_metric="batch", summary=["max", "best"], goal="maximize"),
    ]
    assert metric_definitions(definitions) == [
        {"2": "val/*", "5": 2, "6": [1, 3], "7": []},
        {"1": "epoch", "6": [2, 3], "7": []},
        {"1": "acc", "5": 4, "6": [3], "7": [2, 4], "8": 2},
        {"1": "batch", "6": [], "7": []},
    ]


def test_a_log_that_was_recovered_tells_its_story() -> None:
    state = RunState()
    for record in (RunStart(run_id="r", time=1.0, host="a", pid=1), WriterLost(time=2.0, cause="died", evidence="e")):
        assert "log" not in wire_config(state)["_wandb"]["value"]
        state.apply(record)
    (session,) = wire_config(state)["_wandb"]["value"]["log"]
    assert (session["host"], session["lost"]["cause"]) == ("a", "died")


def test_yaml_reads_back_as_what_it_was() -> None:
    config = {
        "b": {"value": [1, [], {}, {"x": None}]}, "a": {"value": {"on": "yes", "1": True, "s": 'ü"\n\x85\u2028😀'}},
        "f": {"value": [1e-05, 1e20, 0.5, float("nan"), float("-inf"), float("inf")]},
    }  # fmt: skip
    assert config_yaml(config) == (
        'a:\n    value:\n        "on": "yes"\n        "1": true\n        s: "ü\\"\\n\\u0085\\u2028😀"\n'
        "b:\n    value:\n        - 1\n        - []\n        - {}\n        -\n            x: null\n"
        "f:\n    value:\n        - 1.0e-05\n        - 1.0e+20\n        - 0.5\n"
        "        - .nan\n        - -.inf\n        - .inf\n"
    )
    assert config_yaml({}) == "{}\n"


@pytest.mark.parametrize(
    ("base", "page"),
    [
        ("https://api.wandb.ai", "https://app.wandb.ai/me/my%20p/runs/r1"),
        ("https://api.forge.coreweave.com", "https://forge.coreweave.com/wandb/me/my%20p/runs/r1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/me/my%20p/runs/r1"),
    ],
)
def test_a_run_has_a_page(base: str, page: str) -> None:
    assert page_url(base, "me", "my p", "r1") == page


def test_addresses_have_one_form() -> None:
    assert normalize_url(" HTTP://Host.test:80/prefix/ ") == "http://host.test:80/prefix"
    for wrong in ("", "host", "ftp://host", "http://", "http://user:password@host"):
        with pytest.raises(NotUploadable):
            normalize_url(wrong)
