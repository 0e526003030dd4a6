"""Amazon SageMaker: the API key for jobs that run there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Mapping, Optional

from ..env import API_KEY
from ..errors import AuthenticationError

__all__ = ["sagemaker_auth"]


def sagemaker_auth(
    overrides: Optional[Mapping[str, str]] = None, path: str = ".", api_key: Optional[str] = None
) -> None:
    """Write `secrets.env` into the folder of a job's code, with the API key and the variables in `overrides`.

    >>> import pathlib
    >>> import wandb
    >>> wandb.sagemaker_auth({"WANDB_ENTITY": "vision"}, api_key="0123456789" * 4)
    >>> print(pathlib.Path("secrets.env").read_text().strip())
    WANDB_ENTITY=vision
    WANDB_API_KEY=0123456789012345678901234567890123456789

    The file is readable for nobody else; keep it out of your repository. A run in that folder takes its variables from
    it. Without `api_key` it is the one that you are logged in with. Raises AuthenticationError where there is none.
    """
    from ..sdk.wandb_login import api_key_for
    from ..sdk.wandb_settings import merged

    variables: Dict[str, str] = dict(overrides or {})
    settings = merged()
    key = variables.get(API_KEY) or api_key or settings.api_key or api_key_for(settings.base_url)
    if not key:
        raise AuthenticationError("there is no API key; run `wandb login`, set WANDB_API_KEY or pass api_key")
    variables[API_KEY] = key
    for name, value in variables.items():
        if "\n" in f"{name}{value}":
            raise AuthenticationError(f"sagemaker_auth: {name} holds a line break")
    file = os.open(Path(path) / "secrets.env", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as writer:
        os.fchmod(writer.fileno(), 0o600)
        writer.writelines(f"{name}={value}\n" for name, value in variables.items())
