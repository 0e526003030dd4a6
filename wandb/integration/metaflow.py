"""Metaflow: a step logs as any program does, so nothing is needed here, and importing this says so."""

raise ImportError(
    "wandb.integration.metaflow is not part of this package: call wandb.init(group=current.run_id, job_type="
    "current.step_name, config=...) in a step of the flow, and run.log(...) or run.log_artifact(...) what is to be kept"
)
