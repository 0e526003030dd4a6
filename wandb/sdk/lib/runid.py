"""Where libraries import `generate_id` from."""

from ...util import generate_id

__all__ = ["generate_id"]
