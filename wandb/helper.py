"""Where scripts of the client of 2020 find `parse_config`."""

from .sdk.wandb_helper import parse_config

__all__ = ["parse_config"]
