"""Where libraries import `ConfigError` from."""

from ...errors import ConfigError

__all__ = ["ConfigError"]
