"""Where settings come from: each source beats the ones below it, and remembers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

import wandb
from wandb.sdk._settings import _told
from wandb.sdk.wandb_settings import merged
from wandb_uploader._policy_cache import write_policies

SCOPES = ("organization", "team", "user", "project")
FILES_AND_CODE = ("global file", "local file", "environment", "wandb.setup()", "init(settings=)", "init()")
ORDER = [
    *(f"{scope} policy" for scope in SCOPES),
    *FILES_AND_CODE,
    *(f"enforced {scope} policy" for scope in reversed(SCOPES)),
]


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    _told._told.clear()


def write_global(text: str) -> None:
    path = Path.home() / ".config" / "wandb" / "settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[default]\n{text}\n")


def write_local(text: str, folder: str = "wandb") -> None:
    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / "settings").write_text(f"[default]\n{text}\n")


def cache_policies(policies: Dict[str, Dict[str, Any]], project: str = "uncategorized") -> None:
    """As the uploader does: scope -> setting -> value, enforced where the scope says so."""
    documents = []
    for source, values in policies.items():
        scope = source.replace("enforced ", "").replace(" policy", "")
        entries = {name: {"value": value, "enforced": "enforced" in source} for name, value in values.items()}
        documents.append({"scope": scope, "name": "acme", "settings": entries})
    write_policies("http://127.0.0.1:8080", None, project, 0.0, True, documents)


def given_by(sources: List[str], monkeypatch: pytest.MonkeyPatch) -> wandb.Settings:
    """The settings of a run for which each of these sources names itself as the console and its number as a time."""
    values = {source: {"finish_timeout": str(number)} for number, source in enumerate(sources)}
    cache_policies({source: one for source, one in values.items() if "policy" in source})
    text = {source: "\n".join(f"{name} = {value}" for name, value in one.items()) for source, one in values.items()}
    if "global file" in values:
        write_global(text["global file"])
    if "local file" in values:
        write_local(text["local file"])
    if "environment" in values:
        monkeypatch.setenv("WANDB_FINISH_TIMEOUT", values["environment"]["finish_timeout"])
    if "wandb.setup()" in values:
        wandb.setup(values["wandb.setup()"])
    return merged(*((source, values[source]) for source in ("init(settings=)", "init()") if source in values))


@pytest.mark.parametrize("number", range(len(ORDER)))
def test_each_source_beats_all_below_and_names_them(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    below = ORDER[: number + 1]
    settings = given_by(below, monkeypatch)
    assert (settings.source("finish_timeout"), settings.finish_timeout) == (ORDER[number], float(number))
    assert [given.source for given in settings.overridden("finish_timeout")] == below[-2::-1][: len(below) - 1]
    assert settings.source("mode") == "default"


def test_arguments_of_init_are_the_strongest_of_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_NOTES", "e")
    wandb.setup({"run_notes": "s", "run_group": "s", "mode": "offline"})
    with wandb.init(settings={"run_notes": "i", "run_group": "i"}, notes="a") as run:
        assert (run.notes, run.group, run.offline) == ("a", "i", True)
        assert [given.source for given in run.settings.overridden("run_notes")] == [
            "init(settings=)", "wandb.setup()", "environment"
        ]  # fmt: skip


# --- the environment --------------------------------------------------------------------------------------------------

VARIABLES: List[Tuple[str, str, str, Any]] = [
    ("WANDB_ANONYMOUS", "allow", "anonymous", "allow"),
    ("WANDB_API_KEY", "k" * 40, "api_key", "k" * 40),
    ("WANDB_APP_URL", "http://app", "app_url_override", "http://app"),
    ("WANDB_BASE_URL", "http://host:1/", "base_url", "http://host:1"),
    ("WANDB_CONFIG_PATHS", "a.yaml,b.yaml", "config_paths", ("a.yaml", "b.yaml")),
    ("WANDB_CONSOLE", "off", "console", "off"),
    ("WANDB_CREDENTIALS_FILE", "c.json", "credentials_file", "c.json"),
    ("WANDB_DESCRIPTION", "old", "run_notes", "old"),
    ("WANDB_DIR", "/tmp", "root_dir", "/tmp"),
    ("WANDB_DISABLE_CODE", "true", "disable_code", True),
    ("WANDB_DISABLE_GIT", "1", "disable_git", True),
    ("WANDB_DOCKER", "image", "docker", "image"),
    ("WANDB_DURABILITY", "power", "durability", "power"),
    ("WANDB_ENTITY", "me", "entity", "me"),
    ("WANDB_FILE_PUSHER_TIMEOUT", "5", "x_file_transfer_timeout_seconds", 5.0),
    ("WANDB_FINISH_TIMEOUT", "2.5", "finish_timeout", 2.5),
    ("WANDB_GIT_COMMIT", "abc", "git_commit", "abc"),
    ("WANDB_GIT_REMOTE_URL", "git@host:a", "git_remote_url", "git@host:a"),
    ("WANDB_HOST", "node7", "host", "node7"),
    ("WANDB_HTTP_TIMEOUT", "5", "x_graphql_timeout_seconds", 5.0),
    ("WANDB_IDENTITY_TOKEN_FILE", "t", "identity_token_file", "t"),
    ("WANDB_IGNORE_GLOBS", "*.pt,*.bin", "ignore_globs", ("*.pt", "*.bin")),
    ("WANDB_INIT_TIMEOUT", "60", "init_timeout", 60.0),
    ("WANDB_INSECURE_DISABLE_SSL", "true", "insecure_disable_ssl", True),
    ("WANDB_JOB_TYPE", "eval", "run_job_type", "eval"),
    ("WANDB_MAGIC", "1", "magic", "1"),
    ("WANDB_MODE", "dryrun", "mode", "offline"),
    ("WANDB_NAME", "n", "run_name", "n"),
    ("WANDB_NOTEBOOK_NAME", "a.ipynb", "notebook_name", "a.ipynb"),
    ("WANDB_NOTES", "why", "run_notes", "why"),
    ("WANDB_ORGANIZATION", "acme", "organization", "acme"),
    ("WANDB_PROGRAM", "train.py", "program", "train.py"),
    ("WANDB_PROJECT", "p", "project", "p"),
    ("WANDB_QUIET", "true", "quiet", True),
    ("WANDB_REINIT", "create_new", "reinit", "create_new"),
    ("WANDB_RESUME", "allow", "resume", "allow"),
    ("WANDB_RUN_GROUP", "g", "run_group", "g"),
    ("WANDB_RUN_ID", "r1", "run_id", "r1"),
    ("WANDB_RUN_NAME", "n", "run_name", "n"),
    ("WANDB_SAVE_CODE", "false", "save_code", False),
    ("WANDB_SHOW_COLORS", "false", "show_colors", False),
    ("WANDB_SILENT", "true", "silent", True),
    ("WANDB_START_METHOD", "thread", "start_method", "thread"),
    ("WANDB_STRICT", "yes", "strict", True),
    ("WANDB_SWEEP_ID", "s", "sweep_id", "s"),
    ("WANDB_SWEEP_PARAM_PATH", "s.json", "sweep_param_path", "s.json"),
    ("WANDB_SYMLINK", "no", "symlink", False),
    ("WANDB_TAGS", "a, b", "run_tags", ("a", "b")),
    ("WANDB_USERNAME", "me", "username", "me"),
    ("WANDB_USER_EMAIL", "a@b", "email", "a@b"),
    ("WANDB__DISABLE_STATS", "true", "x_disable_stats", True),
    ("WANDB__SERVICE_WAIT", "300", "x_service_wait", 300.0),
    ("WANDB_X_STATS_SAMPLING_INTERVAL", "5", "x_stats_sampling_interval", 5.0),
    ("WANDB__STATS_SAMPLING_INTERVAL", "5", "x_stats_sampling_interval", 5.0),
]


@pytest.mark.parametrize(("variable", "text", "name", "value"), VARIABLES, ids=[one[0] for one in VARIABLES])
def test_a_variable_sets_its_setting(variable: str, text: str, name: str, value: Any) -> None:
    settings = merged(environment={variable: text})
    assert getattr(settings, name) == value
    assert settings.given(name).origin == f"environment ({variable})"
    assert merged(environment={variable: ""}).source(name) == "default"


def test_of_two_variables_for_one_setting_the_documented_one_counts() -> None:
    assert merged(environment={"WANDB_NAME": "a", "WANDB_RUN_NAME": "b"}).run_name == "a"
    assert merged(environment={"WANDB_NOTES": "a", "WANDB_DESCRIPTION": "b"}).run_notes == "a"


def test_a_variable_that_makes_no_sense_is_ignored_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_CONSOLE", "colourful")
    monkeypatch.setenv("WANDB_PROJCT", "p")
    monkeypatch.setenv("WANDB_SOMETHING_ELSE", "p")
    with wandb.init(mode="offline") as run:
        assert run.settings.console == "auto"
    said = capsys.readouterr().err
    assert "WANDB_CONSOLE): one of auto" in said
    assert "did you mean 'project'? (from environment (WANDB_PROJCT))" in said
    assert "SOMETHING_ELSE" not in said


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        lambda folder, set_variable: set_variable("WANDB_CONFIG_DIR", str(folder)),
        lambda folder, set_variable: set_variable("WANDB_SETTINGS_SYSTEM", str(folder / "settings")),
    ],
)
def test_the_global_file_can_stand_elsewhere(
    place: Callable[[Path, Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").write_text("[default]\nrun_group = g\n")
    place(tmp_path, monkeypatch.setenv)
    assert merged().given("run_group").origin == f"global file ({tmp_path / 'settings'})"


def test_the_local_file_stands_in_the_wandb_folder_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_local("run_group = here")
    write_local("run_group = there", "elsewhere/wandb")
    write_local("run_group = hidden", ".wandb")
    assert merged(("init()", {"root_dir": tmp_path / "elsewhere"})).run_group == "there"
    assert merged().run_group == "hidden"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[default]\nmode = sometimes\nproject = p\n", "one of online"),
        (b"[default]\nprojcet = q\nproject = p\n", "did you mean 'project'"),
        (b"no section\n", "mend or remove it"),
        (b"[default]\nmode = \xff\xfe\n", "mend or remove it"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_and_a_run_starts(
    content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_local("")
    path = Path("wandb/settings").absolute()
    path.write_bytes(content)
    with wandb.init(mode="offline") as run:
        assert run.project == ("p" if b"project = p" in content else "uncategorized")
    err = capsys.readouterr().err
    assert str(path) in err
    assert said in err


# --- wandb.setup ------------------------------------------------------------------------------------------------------


def test_setup_returns_one_session_and_teardown_forgets_it() -> None:
    session = wandb.setup(wandb.Settings(mode="offline"))
    assert wandb.setup() is session
    assert wandb.setup({"run_group": "g"}) is session
    assert (session.settings.mode, session._settings.run_group) == ("offline", "g")
    session.settings.run_job_type = "eval"
    run = wandb.init()
    assert (run.offline, run.group, run.job_type) == (True, "g", "eval")
    wandb.teardown(exit_code=3)
    assert vars(wandb)["run"] is None
    assert run._exit_code == 3
    assert wandb.setup() is not session
    assert wandb.setup().settings.run_group is None


def test_setup_refuses_what_makes_no_sense() -> None:
    with pytest.raises(wandb.UsageError, match=r"mode .* from wandb\.setup\(\)"):
        wandb.setup({"mode": "sometimes"})
    with pytest.raises(wandb.UsageError, match=r"a wandb\.Settings or a dictionary, not str"):
        wandb.setup("offline")  # type: ignore[arg-type]  # on purpose


# --- policies ---------------------------------------------------------------------------------------------------------


def test_a_policy_advises_and_an_enforced_one_decides_and_the_user_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cache_policies({"team policy": {"run_group": "x", "console": "off"}, "enforced team policy": {"quiet": True}}, "p")
    for _ in range(2):
        with wandb.init(mode="offline", project="p", settings={"console": "wrap", "quiet": False}) as run:
            assert (run.settings.console, run.settings.quiet, run.group) == ("wrap", True, None)
    said = capsys.readouterr().err
    assert said.count("quiet is True by enforced team policy (acme), not False from init(settings=)") == 1
    assert "console" not in said
    assert said.count("run_group can't come from team policy") == 1
    with wandb.init(mode="offline", project="another") as run:
        assert run.settings.source("quiet") == "default"


@pytest.mark.parametrize("name", ["api_key", "base_url", "http_proxy", "root_dir", "program", "run_id", "strict"])
def test_policies_dont_decide_where_data_goes_or_what_runs(name: str) -> None:
    cache_policies({"enforced organization policy": {name: "http://evil"}})
    assert merged().source(name) == "default"


@pytest.mark.parametrize(
    "policies",
    [
        [{"scope": "planet", "settings": {"quiet": {"value": True}}}],
        [{"scope": "team", "settings": ["quiet"]}],
        [{"scope": "team", "settings": {"quiet": True}}],
        [{"scope": "team", "settings": {"quiet": {"value": "perhaps"}}}],
        [{"scope": "team", "settings": {"from_the_future": {"value": 1}}}],
        [{}],
    ],
)
def test_a_policy_of_another_form_changes_nothing(policies: Any) -> None:
    write_policies("http://127.0.0.1:8080", None, "uncategorized", 0.0, True, policies)
    assert merged() == wandb.Settings()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "policies": 3, "time": 0}', "[" * 100_000])
def test_a_damaged_cache_is_as_good_as_none(content: str, tmp_path: Path) -> None:
    cache_policies({"team policy": {"quiet": True}})
    [path] = (tmp_path / "home" / ".cache" / "wandb" / "policies").rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["project"] == "uncategorized"
    assert merged().quiet
    path.write_text(content)
    assert not merged().quiet


# --- what the user is told --------------------------------------------------------------------------------------------


def test_a_variable_that_beats_a_file_about_the_destination_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_local("project = filed\nrun_group = filed\nmode = offline")
    monkeypatch.setenv("WANDB_PROJECT", "exported")
    monkeypatch.setenv("WANDB_RUN_GROUP", "exported")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for _ in range(2):
        wandb.init().finish()
    [line] = [line for line in capsys.readouterr().err.splitlines() if "Settings:" in line]
    assert "project is 'exported' by environment (WANDB_PROJECT), not 'filed' from local file" in line
    assert "group" not in line
    assert "mode is" not in line, "the same value is no surprise"


def test_code_that_beats_a_variable_about_the_destination_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    wandb.init(mode="offline").finish()
    assert "mode is 'offline' by init(), not 'disabled' from environment (WANDB_MODE)" in capsys.readouterr().err


def test_settings_without_an_effect_are_told_once_all_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_START_METHOD", "thread")
    for _ in range(2):
        wandb.init(
            mode="offline", settings=wandb.Settings(x_service_wait=300, x_sync=False), anonymous="allow"
        ).finish()
    [line] = [line for line in capsys.readouterr().err.splitlines() if "without an effect" in line]
    assert "start_method from environment (WANDB_START_METHOD)" in line
    assert "x_service_wait from init(settings=)" in line
    assert "anonymous from init()" in line
    assert "x_sync" not in line, "a default asks for nothing"
