"""Settings by name and type: what is accepted, what is refused and with which words, and how the objects behave."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Dict

import pytest

import wandb
from wandb import Settings, UsageError

# What the official client 0.31 has, by name.
OFFICIAL = """
    allow_media_symlink allow_offline_artifacts allow_val_change anonymous api_key app_url_override
    azure_account_url_to_access_key base_url capture_loggers code_dir config_paths console
    console_chunk_max_bytes console_chunk_max_seconds console_multipart credentials_file disable_code
    disable_git disable_git_fork_point disable_job_creation docker email entity finish_timeout
    finish_timeout_raises force fork_from git_commit git_remote git_remote_url git_root heartbeat_seconds host
    http_proxy https_proxy identity_token_file ignore_globs init_timeout insecure_disable_ssl job_name
    job_source label_disable launch launch_config_path login_timeout max_end_of_run_history_metrics
    max_end_of_run_summary_metrics mode notebook_name organization program program_abspath program_relpath
    project quiet reinit relogin resume resume_from resumed root_dir run_group run_id run_job_type run_name
    run_notes run_tags sagemaker_disable save_code settings_system show_colors show_emoji show_errors show_info
    show_warnings silent stop_fn stop_on_fatal_error strict summary_timeout summary_warnings sweep_id
    sweep_param_path symlink sync_tensorboard table_raise_on_max_row_limit_exceeded use_dot_wandb username
    x_cli_only_mode x_disable_machine_info x_disable_meta x_disable_stats x_disable_viewer x_executable
    x_extra_http_headers x_file_stream_max_bytes x_file_stream_max_line_bytes x_file_stream_no_gzip
    x_file_stream_retry_max x_file_stream_retry_wait_max_seconds x_file_stream_retry_wait_min_seconds
    x_file_stream_timeout_seconds x_file_stream_transmit_interval x_file_transfer_retry_max
    x_file_transfer_retry_wait_max_seconds x_file_transfer_retry_wait_min_seconds
    x_file_transfer_timeout_seconds x_files_dir x_flow_control_custom x_flow_control_disabled
    x_graphql_retry_max x_graphql_retry_wait_max_seconds x_graphql_retry_wait_min_seconds
    x_graphql_timeout_seconds x_history_value_encoding x_internal_check_process x_jupyter_name x_jupyter_path
    x_jupyter_root x_label x_live_policy_rate_limit x_live_policy_wait_time x_log_level x_network_buffer
    x_primary x_proxies x_runqueue_item_id x_save_requirements x_server_side_derived_summary x_service_transport
    x_service_wait x_skip_transaction_log x_start_time x_stats_buffer_size x_stats_coreweave_metadata_base_url
    x_stats_coreweave_metadata_endpoint x_stats_cpu_count x_stats_cpu_logical_count x_stats_dcgm_exporter
    x_stats_disk_paths x_stats_gpu_count x_stats_gpu_device_ids x_stats_gpu_type
    x_stats_neuron_monitor_config_path x_stats_no_cgroup x_stats_open_metrics_endpoints
    x_stats_open_metrics_filters x_stats_open_metrics_http_headers x_stats_pid x_stats_sampling_interval
    x_stats_self_usage x_stats_track_process_tree x_sync x_sync_dir_suffix x_transaction_log_flush_interval
    x_update_finish_state
""".split()  # noqa: SIM905 - as a list it would fill a hundred and fifty lines
SECRET = "not-to-be-seen-anywhere"


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_default_of_the_official_client_can_be_given(name: str) -> None:
    settings = Settings()
    value = getattr(settings, name)
    settings.update({name: value}, "here")
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("projcet", "project"),
        ("run_tag", "run_tags"),
        ("x_disable_stat", "x_disable_stats"),
        ("_disable_stat", "x_disable_stats"),
        ("console_multi_part", "console_multipart"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, near: str) -> None:
    values: Dict[str, Any] = {name: 1}
    for attempt in (lambda: Settings(**values), lambda: setattr(Settings(), name, 1)):
        with pytest.raises(UsageError, match=f"no setting '{name}'; did you mean '{near}'"):
            attempt()
    with pytest.raises(AttributeError, match=near):
        getattr(Settings(), name)


def test_a_name_that_is_like_no_other_is_refused_without_advice() -> None:
    with pytest.raises(UsageError, match=r"no setting 'qqqqqqqq' \(from settings\)"):
        Settings(qqqqqqqq=1)  # type: ignore[call-arg]  # on purpose


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mode", "sometimes", "one of online, offline, disabled, shared"),
        ("mode", True, "one of online"),
        ("base_url", "localhost:8080", "http://"),
        ("project", "a/b", "a name without any of"),
        ("project", "", "a name without any of"),
        ("run_id", "x" * 129, "at most 128 characters"),
        ("run_name", 3, "text"),
        ("run_tags", 3, "texts"),
        ("run_tags", [1, 2], "texts"),
        ("silent", "perhaps", "true or false"),
        ("silent", 2.5, "true or false"),
        ("finish_timeout", "soon", "a number of seconds, 0 or more"),
        ("finish_timeout", -1, "a number of seconds, 0 or more"),
        ("finish_timeout", float("nan"), "a number of seconds, 0 or more"),
        ("finish_timeout", True, "a number of seconds, 0 or more"),
        ("resume", "sometimes", "one of allow, must, never, auto"),
        ("reinit", "sometimes", "a boolean, or one of default"),
        ("live_log", "nowhere", "one of auto, local, run"),
        ("durability", "eternal", "one of process, power"),
        ("console", "none", "one of auto"),
        ("heartbeat_seconds", "often", "a whole number"),
        ("heartbeat_seconds", 1.5, "a whole number"),
        ("x_stats_gpu_device_ids", "one", "whole numbers"),
        ("x_extra_http_headers", "a=b", "a dictionary, or one as JSON"),
        ("x_file_stream_timeout_seconds", "soon", "a number of seconds"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_name_its_source_and_what_is_expected(
    name: str, value: Any, expected: str
) -> None:
    with pytest.raises(UsageError, match=f"the setting {name} can't be .*, from settings: .*{expected}"):
        Settings(**{name: value})
    with pytest.raises(UsageError, match=rf"{name} .* from init\(settings=\): .*{expected}"):
        wandb.init(settings={name: value})


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("mode", "dryrun", "offline"),
        ("mode", "noop", "disabled"),
        ("base_url", "http://host/", "http://host"),
        ("run_tags", "a, b,", ("a", "b")),
        ("run_tags", ["a", "b"], ("a", "b")),
        ("resume", True, "auto"),
        ("resume", "false", None),
        ("reinit", "true", True),
        ("silent", "ON", True),
        ("silent", 0, False),
        ("finish_timeout", "1.5", 1.5),
        ("heartbeat_seconds", "7", 7),
        ("x_stats_gpu_device_ids", "0, 2", (0, 2)),
        ("x_extra_http_headers", '{"a": "b"}', {"a": "b"}),
        ("_disable_stats", True, True),
    ],
)
def test_values_come_into_one_form(name: str, given: Any, kept: Any) -> None:
    assert getattr(Settings(**{name: given}), name) == kept


def test_none_gives_nothing_to_an_argument_and_the_default_to_an_attribute() -> None:
    settings = Settings(mode=None)  # type: ignore[arg-type]  # as untyped callers do
    assert settings.source("mode") == "default"
    settings.mode = "offline"
    settings.mode = None  # type: ignore[assignment]  # as untyped callers do
    assert settings.mode == "online"


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = Settings(api_key=SECRET, https_proxy=f"http://me:{SECRET}@proxy", x_extra_http_headers={"a": SECRET})
    assert settings.api_key == SECRET
    assert SECRET not in repr(settings)
    with pytest.raises(UsageError) as caught:
        Settings(x_proxies=SECRET)  # type: ignore[arg-type]  # on purpose
    assert SECRET not in str(caught.value)


def test_copies_are_equal_and_apart() -> None:
    settings = Settings(mode="offline", run_tags=("a",))
    for other in (copy.copy(settings), copy.deepcopy(settings), pickle.loads(pickle.dumps(settings))):
        assert other == settings
        other.mode = "disabled"
        assert (settings.mode, settings.overridden("mode")) == ("offline", ())
        assert [given.value for given in other.overridden("mode")] == ["offline"]


def test_settings_of_one_run_can_be_given_to_the_next() -> None:
    """Only what somebody chose goes over: no name that was made up for the first."""
    with wandb.init(mode="offline", settings=Settings(run_group="g")) as first:
        pass
    with wandb.init(settings=first.settings) as second:
        assert (second.offline, second.group) == (True, "g")
        assert second.id != first.id
