"""`wandb.data_types` under the names of modules that libraries import; the code is there."""
