"""Kubeflow Pipelines: a component logs as any program does, so nothing is needed here, and importing this says so."""

raise ImportError(
    "wandb.integration.kfp is not part of this package: call wandb.init(config=...) and run.log(...) in the "
    "component's own function, list wandb in its packages_to_install, and pass WANDB_API_KEY and "
    "WANDB_BASE_URL to its container"
)
