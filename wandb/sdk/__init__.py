"""What training scripts touch: runs, their configuration and summary, settings and credentials.

`wandb_init` makes a `wandb_run.Run` from `wandb_settings`; the run appends to its log (`wandb_storage`), and the
uploader (`wandb_uploader`) takes it from there. The modules named `wandb_*` are those that other libraries import.
"""
