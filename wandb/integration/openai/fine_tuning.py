"""OpenAI's fine-tuning jobs, each as a run: its metrics, its settings, its data, and the name of the model.

from wandb.integration.openai.fine_tuning import WandbLogger

job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1")
WandbLogger.sync(fine_tune_job_id=job.id, project="tuned")
"""

from __future__ import annotations

import json
import math
import re
import time
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Tuple

from ..._terminal import termlog, termwarn
from ...apis.public.api import Api
from ...errors import CommError, Error
from ...sdk import _globals
from ...sdk.artifacts.artifact import Artifact
from ...sdk.wandb_init import init
from .._library import library
from ._files import conversations, fields_of, metrics_of, settings_of

if TYPE_CHECKING:
    from ...sdk.wandb_run import Run

_openai = library("openai")

__all__ = ["WandbLogger"]

_SUCCEEDED = "succeeded"
_ENDED = (_SUCCEEDED, "failed", "cancelled")
_DONE = "🎉 wandb sync completed successfully"


class WandbLogger:
    """Log fine-tuning jobs; nobody makes an object of it."""

    poll_seconds = 10.0  # between two looks at a job that still runs

    @classmethod
    def sync(
        cls,
        fine_tune_job_id: Optional[str] = None,
        openai_client: Optional[Any] = None,
        num_fine_tunes: Optional[int] = None,
        project: str = "OpenAI-Fine-Tune",
        entity: Optional[str] = None,
        overwrite: bool = False,
        wait_for_job_success: bool = True,
        log_datasets: bool = True,
        model_artifact_name: str = "model-metadata",
        model_artifact_type: str = "model",
        **kwargs_wandb_init: Any,
    ) -> str:
        """Log a job, or the newest `num_fine_tunes`, or all: each becomes the run of its id, unless a run is active.

        fine_tune_job_id: "ftjob-...". openai_client: an `openai.OpenAI`; without one it is made of OPENAI_API_KEY.
        overwrite: log a job again whose run is complete. wait_for_job_success: wait for jobs that still run; without,
        they are left out. log_datasets: keep training and validation files as artifacts, and show them as tables.
        More arguments are those of `wandb.init`.

        A step of the job is a row with its step: `train_loss` and whatever else the job reports. The summary gets
        `status` and `fine_tuned_model`, the config what the job was asked for.

        Raises openai.NotFoundError for a job that isn't there.
        """
        client = openai_client or _openai.OpenAI()
        found = _jobs(client, fine_tune_job_id, num_fine_tunes)
        if not found:
            termwarn("WandbLogger: OpenAI has no fine-tuning jobs of yours")
        for job in found:
            if not overwrite and _is_logged(project, entity, job.id):
                termwarn(f"WandbLogger: {job.id} is logged already; overwrite=True logs it again")
                continue
            if wait_for_job_success:
                job = _ended(client, job, cls.poll_seconds)
            if job.status != _SUCCEEDED:
                termwarn(f"WandbLogger: {job.id} is not logged, it is {job.status}: {_reason(job)}")
                continue
            run = _globals.active_run() or init(
                project=project, entity=entity, id=job.id, name=job.id, job_type="fine-tune", **kwargs_wandb_init
            )
            _log(run, client, job, log_datasets, overwrite, model_artifact_name, model_artifact_type)
            run.finish()
        return _DONE


def _jobs(client: Any, job_id: Optional[str], count: Optional[int]) -> List[Any]:
    """The jobs to log, the oldest first."""
    if job_id:
        return [client.fine_tuning.jobs.retrieve(job_id)]
    newest_first = sorted(client.fine_tuning.jobs.list(), key=lambda job: job.created_at, reverse=True)
    return newest_first[:count][::-1]


def _is_logged(project: str, entity: Optional[str], job_id: str) -> bool:
    """Whether the server has a complete run of the job."""
    try:
        run = Api().run("/".join(part for part in (entity, project, job_id) if part))
        return bool(run.summary.get("status") == _SUCCEEDED)
    except (CommError, Error, ValueError):
        return False  # there is no such run, or no server to ask, which hinders nothing


def _ended(client: Any, job: Any, poll_seconds: float) -> Any:
    """The job when it has ended."""
    if job.status not in _ENDED:
        termlog(f"WandbLogger: waiting for {job.id}, which is {job.status}; wait_for_job_success=False does without")
    while job.status not in _ENDED:
        time.sleep(poll_seconds)
        job = client.fine_tuning.jobs.retrieve(job.id)
    return job


def _reason(job: Any) -> str:
    message = getattr(job.error, "message", None)
    return message or ("it has not ended yet" if job.status not in _ENDED else "OpenAI gives no reason")


def _log(
    run: Run, client: Any, job: Any, log_datasets: bool, overwrite: bool, artifact_name: str, artifact_type: str
) -> None:
    run.config.update(settings_of(job), allow_val_change=True)
    for step, metrics in _steps(client, job):
        run.log(metrics, step=step)
    if job.fine_tuned_model is not None:
        run.summary["fine_tuned_model"] = job.fine_tuned_model
    if log_datasets:
        termlog("WandbLogger: logging the training and validation files")
        for file_id, prefix, kind in (
            (job.training_file, "train", "training_files"),
            (job.validation_file, "valid", "validation_files"),
        ):
            if file_id:
                _use_file(run, client, file_id, prefix, kind, overwrite)
    artifact = Artifact(artifact_name, type=artifact_type, metadata=fields_of(job))
    with artifact.new_file("model_metadata.json", mode="w", encoding="utf-8") as file:
        json.dump(fields_of(job), file, indent=2)
    run.log_artifact(artifact, aliases=["latest", job.id])
    run.summary["status"] = _SUCCEEDED


def _steps(client: Any, job: Any) -> Iterator[Tuple[Optional[int], Mapping[str, float]]]:
    """(step, metrics) of what a job reports."""
    if not job.result_files:
        termwarn(f"WandbLogger: {job.id} has no file of results, so there are no metrics")
        return
    for row in metrics_of(client.files.content(job.result_files[0]).read()):
        step = row.pop("step", math.nan)
        yield (None if math.isnan(step) else int(step)), row


def _use_file(run: Run, client: Any, file_id: str, prefix: str, kind: str, overwrite: bool) -> None:
    """Note a file of OpenAI's as an artifact that the run has used, and show its conversations as a table."""
    name = re.sub(r"[^\w.-]", "_", f"{prefix}-{file_id}", flags=re.ASCII)
    known = None if overwrite else _logged_file(run, name, file_id)
    if known is not None:
        run.config.update({f"n_{prefix}": known.metadata.get("items")}, allow_val_change=True)
        run.use_artifact(known, aliases=["latest", file_id])
        return
    try:
        content: bytes = client.files.content(file_id).read()
    except _openai.NotFoundError:
        termwarn(f"WandbLogger: OpenAI doesn't give {file_id} away: the key needs the right to read files")
        return
    artifact = Artifact(name, type=kind)
    with artifact.new_file(file_id, mode="wb") as file:
        file.write(content)
    try:
        table = conversations(content)
    except ValueError as error:
        termwarn(f"WandbLogger: {file_id} is shown as no table: {error}")
    else:
        count = len(table.data)
        artifact.add(table, file_id)
        artifact.metadata = {**artifact.metadata, "items": count}
        run.log({f"{prefix}_data": table})
        run.config.update({f"n_{prefix}": count}, allow_val_change=True)
    run.use_artifact(artifact, aliases=["latest", file_id])


def _logged_file(run: Run, name: str, alias: str) -> Optional[Any]:
    try:
        return Api().artifact(f"{run.entity}/{run.project}/{name}:{alias}" if run.entity else f"{name}:{alias}")
    except (CommError, Error, ValueError):
        return None
