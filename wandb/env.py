"""The names of the environment's variables, and setting two of them, as libraries do."""

from __future__ import annotations

import os
from typing import MutableMapping, Optional

API_KEY = "WANDB_API_KEY"
BASE_URL = "WANDB_BASE_URL"
CONFIG_PATHS = "WANDB_CONFIG_PATHS"
DIR = "WANDB_DIR"
ENTITY = "WANDB_ENTITY"
JOB_TYPE = "WANDB_JOB_TYPE"
MODE = "WANDB_MODE"
NAME = "WANDB_NAME"
NOTES = "WANDB_NOTES"
PROJECT = "WANDB_PROJECT"
RESUME = "WANDB_RESUME"
RUN_GROUP = "WANDB_RUN_GROUP"
RUN_ID = "WANDB_RUN_ID"
SILENT = "WANDB_SILENT"
SWEEP_ID = "WANDB_SWEEP_ID"
TAGS = "WANDB_TAGS"

Environment = Optional[MutableMapping[str, str]]


def set_entity(value: str, env: Environment = None) -> None:
    """Let later runs belong to `value`."""
    (os.environ if env is None else env)[ENTITY] = value


def set_project(value: str, env: Environment = None) -> None:
    """Let later runs be part of the project `value`."""
    (os.environ if env is None else env)[PROJECT] = value
