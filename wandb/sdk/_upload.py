"""The SDK's view of the uploader: starting it, and asking how far it is.

The uploader's package is imported when it is needed: an offline run never does.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional, Union

from .._terminal import termwarn
from ..errors import CommError

if TYPE_CHECKING:
    from wandb_uploader import HeldRun, RunStatus

    from .wandb_settings import Settings


def start_uploader(wandb_folder: Path, settings: Settings) -> Optional[Path]:
    """Make sure that somebody uploads the runs of a wandb folder, and keeps to its budget. A failure leaves the run in
    its log, and is said. Returns where the uploader's own log is."""
    import wandb_uploader

    if settings.insecure_disable_ssl:
        termwarn(
            f"the certificate of {settings.base_url} is not checked (insecure_disable_ssl): whoever is on the way can "
            "read the API key. For a CA of your own, name its file in SSL_CERT_FILE instead",
            repeat=False,
        )
    try:
        _keep_budget(wandb_folder, settings.disk_budget)
        return wandb_uploader.start(wandb_folder, settings.base_url, uploader_environment(settings))
    except OSError as error:
        termwarn(
            f"the uploader could not be started ({error}); the run is kept, upload it with: wandb sync", repeat=False
        )
        return None


def _keep_budget(wandb_folder: Path, disk_budget: Optional[str]) -> None:
    import wandb_uploader

    try:
        budget = None if disk_budget is None else wandb_uploader.parse_size(disk_budget)
    except ValueError as error:
        termwarn(f"disk_budget (WANDB_DISK_BUDGET) is not applied: {error}")
        return
    wandb_uploader.keep_budget(wandb_folder, budget)


def uploader_environment(settings: Settings) -> Dict[str, str]:
    """This process's environment, with the credentials, the proxies and the manner that settings name."""
    proxies = settings.x_proxies or {}
    chosen = {
        "WANDB_API_KEY": settings.api_key, "WANDB_IDENTITY_TOKEN_FILE": settings.identity_token_file,
        "http_proxy": settings.http_proxy or proxies.get("http"),
        "https_proxy": settings.https_proxy or proxies.get("https"),
        "WANDB__EXTRA_HTTP_HEADERS": json.dumps(settings.x_extra_http_headers or {}),
        "WANDB_INSECURE_DISABLE_SSL": str(settings.insecure_disable_ssl),
        "WANDB_CACHE_LIMIT": settings.cache_limit,
    }  # fmt: skip
    return {**os.environ, **{name: value for name, value in chosen.items() if value}}


def upload_status(run_folder: Path, base_url: str) -> Optional[RunStatus]:
    """How far the upload of a run is, or None where nothing is known of it. Cheap enough to ask ten times a second."""
    import wandb_uploader

    return wandb_uploader.run_status(run_folder, base_url)


def look_up_run(settings: Settings, run_id: str, step: Optional[int] = None) -> Optional[HeldRun]:
    """What the server holds of a run, None where it has none; with the summary as of a step. Raises CommError after
    `resume_timeout` seconds, or where the server says no."""
    from wandb_uploader import UploadError
    from wandb_uploader import look_up_run as ask

    answers: List[Union[HeldRun, UploadError, None]] = []
    environment = uploader_environment(settings)

    def look() -> None:
        try:
            answers.append(ask(settings.base_url, settings.entity, settings.project, run_id, environment, step))
        except UploadError as error:
            answers.append(error)

    # In a thread of its own: neither a name server nor a server that sends a byte a second is bound by time-outs.
    thread = threading.Thread(target=look, name="wandb-look-up", daemon=True)
    thread.start()
    thread.join(settings.resume_timeout)
    if not answers:
        raise CommError(f"no answer from {settings.base_url} in {settings.resume_timeout:g} s (resume_timeout)")
    if isinstance(answers[0], UploadError):
        raise CommError(str(answers[0]))
    return answers[0]
