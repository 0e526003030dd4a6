"""Settings of the official client, of this generation and of the first, that have no effect here.

Scripts and libraries set them, so they are accepted, held to their types, and kept. The user is told once. What takes
effect stands in `wandb_settings`; a setting moves there when it does.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from . import _kinds as kinds
from ._field import accepted
from ._layered import Layered


class OfficialSettings(Layered):
    """What callers of the official client may set without an effect."""

    # --- what a run is and does ---
    allow_media_symlink: bool = accepted(kinds.flag, default=False)
    allow_offline_artifacts: bool = accepted(kinds.flag, default=True)
    anonymous: Optional[str] = accepted(kinds.anything, default=None)
    app_url_override: Optional[str] = accepted(kinds.text, default=None)
    azure_account_url_to_access_key: Optional[Mapping[str, str]] = accepted(kinds.mapping, default=None, secret=True)
    console_chunk_max_bytes: int = accepted(kinds.integer, default=0)
    console_chunk_max_seconds: int = accepted(kinds.integer, default=0)
    console_multipart: bool = accepted(kinds.flag, default=False)
    credentials_file: Optional[str] = accepted(kinds.text, default=None)
    disable_git_fork_point: bool = accepted(kinds.flag, default=True)
    disable_job_creation: bool = accepted(kinds.flag, default=True)
    finish_timeout_raises: bool = accepted(kinds.flag, default=False)
    heartbeat_seconds: int = accepted(kinds.integer, default=30)
    init_timeout: float = accepted(kinds.seconds, default=90.0)
    job_name: Optional[str] = accepted(kinds.text, default=None)
    job_source: Optional[str] = accepted(kinds.choice("repo", "artifact", "image"), default=None)
    label_disable: bool = accepted(kinds.flag, default=False)
    launch: bool = accepted(kinds.flag, default=False)
    launch_config_path: Optional[str] = accepted(kinds.text, default=None)
    organization: Optional[str] = accepted(kinds.text, default=None)
    program_abspath: Optional[str] = accepted(kinds.text, default=None)
    program_relpath: Optional[str] = accepted(kinds.text, default=None)
    resumed: bool = accepted(kinds.flag, default=False)
    sagemaker_disable: bool = accepted(kinds.flag, default=False)
    show_emoji: Optional[bool] = accepted(kinds.flag, default=None)
    stop_on_fatal_error: bool = accepted(kinds.flag, default=False)
    summary_timeout: int = accepted(kinds.integer, default=60)
    summary_warnings: int = accepted(kinds.integer, default=5)
    table_raise_on_max_row_limit_exceeded: bool = accepted(kinds.flag, default=False)
    use_dot_wandb: Optional[bool] = accepted(kinds.flag, default=None)

    # --- how the official client works inside ---
    x_cli_only_mode: bool = accepted(kinds.flag, default=False)
    x_disable_viewer: bool = accepted(kinds.flag, default=False)
    x_file_stream_max_bytes: Optional[int] = accepted(kinds.integer, default=None)
    x_file_stream_max_line_bytes: Optional[int] = accepted(kinds.integer, default=None)
    x_file_stream_no_gzip: bool = accepted(kinds.flag, default=True)
    x_file_stream_retry_max: Optional[int] = accepted(kinds.integer, default=None)
    x_file_stream_retry_wait_max_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_stream_retry_wait_min_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_stream_timeout_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_stream_transmit_interval: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_transfer_retry_max: Optional[int] = accepted(kinds.integer, default=None)
    x_file_transfer_retry_wait_max_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_transfer_retry_wait_min_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_file_transfer_timeout_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_files_dir: Optional[str] = accepted(kinds.text, default=None)
    x_flow_control_custom: Optional[bool] = accepted(kinds.flag, default=None)
    x_flow_control_disabled: Optional[bool] = accepted(kinds.flag, default=None)
    x_graphql_retry_max: Optional[int] = accepted(kinds.integer, default=None)
    x_graphql_retry_wait_max_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_graphql_retry_wait_min_seconds: Optional[float] = accepted(kinds.seconds, default=None)
    x_history_value_encoding: str = accepted(kinds.text, default="json")
    x_internal_check_process: float = accepted(kinds.seconds, default=8.0)
    x_jupyter_name: Optional[str] = accepted(kinds.text, default=None)
    x_jupyter_path: Optional[str] = accepted(kinds.text, default=None)
    x_jupyter_root: Optional[str] = accepted(kinds.text, default=None)
    x_live_policy_rate_limit: Optional[int] = accepted(kinds.integer, default=None)
    x_live_policy_wait_time: Optional[int] = accepted(kinds.integer, default=None)
    x_log_level: int = accepted(kinds.integer, default=20)
    x_network_buffer: Optional[int] = accepted(kinds.integer, default=None)
    x_runqueue_item_id: Optional[str] = accepted(kinds.text, default=None)
    x_server_side_derived_summary: bool = accepted(kinds.flag, default=False)
    x_service_transport: Optional[str] = accepted(kinds.text, default=None)
    x_service_wait: float = accepted(kinds.seconds, default=30.0)
    x_skip_transaction_log: bool = accepted(kinds.flag, default=False)
    x_start_time: Optional[float] = accepted(kinds.seconds, default=None)
    x_stats_buffer_size: int = accepted(kinds.integer, default=0)
    x_stats_coreweave_metadata_base_url: Optional[str] = accepted(kinds.text, default=None)
    x_stats_coreweave_metadata_endpoint: Optional[str] = accepted(kinds.text, default=None)
    x_stats_dcgm_exporter: Optional[str] = accepted(kinds.text, default=None)
    x_stats_neuron_monitor_config_path: Optional[str] = accepted(kinds.text, default=None)
    x_stats_no_cgroup: bool = accepted(kinds.flag, default=False)
    x_stats_open_metrics_endpoints: Optional[Mapping[str, str]] = accepted(kinds.mapping, default=None)
    x_stats_open_metrics_filters: Any = accepted(kinds.anything, default=None)
    x_stats_open_metrics_http_headers: Optional[Mapping[str, str]] = accepted(kinds.mapping, default=None, secret=True)
    x_stats_self_usage: bool = accepted(kinds.flag, default=False)
    x_sync: bool = accepted(kinds.flag, default=False)
    x_sync_dir_suffix: str = accepted(kinds.text, default="")
    x_transaction_log_flush_interval: float = accepted(kinds.seconds, default=15.0)

    # --- the first generation ---
    magic: Any = accepted(kinds.anything, default=None)
    show_console: bool = accepted(kinds.flag, default=True)
    start_method: Optional[str] = accepted(kinds.text, default=None)
    sync: Any = accepted(kinds.anything, default=None)
    summary_errors: Optional[int] = accepted(kinds.integer, default=None)
    system_sample_seconds: int = accepted(kinds.integer, default=2)
    system_samples: int = accepted(kinds.integer, default=15)
