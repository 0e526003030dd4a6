"""What other libraries need to log to a run: callbacks, loggers and hooks, a module a library.

    from wandb.integration.xgboost import WandbCallback

A module here imports its library, and says in one line how to install it where it is missing. Nothing here is loaded
by `import wandb`. Older paths, `wandb.keras` and `wandb.xgboost` say, are the same names.

| module | what it has |
|---|---|
| `keras` | `WandbMetricsLogger`, `WandbModelCheckpoint`, `WandbEvalCallback`, `WandbCallback` |
| `torch` | `watch`, `unwatch`; histograms and the graph of a model |
| `lightning` | `fabric.WandbLogger` |
| `xgboost`, `lightgbm`, `catboost` | `WandbCallback` or `wandb_callback`, `log_summary` |
| `sklearn` | the charts of `wandb.sklearn` |
| `tensorboard`, `tensorflow` | `patch`, `unpatch`, `log`; `WandbHook` |
| `sb3`, `gym` | `WandbCallback`; `monitor` |
| `huggingface`, `diffusers` | `autolog` |
| `ultralytics` | `add_wandb_callback`, `WandBUltralyticsCallback` |
| `openai` | `fine_tuning.WandbLogger` |
| `dspy` | `WandbDSPyCallback` |
| `prodigy` | `upload_dataset` |
| `weave` | what Weave asks: `active_run_path`, `init_weave`, ... |
| `fastai`, `sacred` | `WandbCallback`; `WandbObserver` |
| `sagemaker` | `sagemaker_auth` |

Most callbacks log to the run that is active when they are called, as `wandb.log` does.
"""
