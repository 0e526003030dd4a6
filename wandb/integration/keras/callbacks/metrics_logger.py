"""`WandbMetricsLogger`, by the official client's path."""

from .._metrics_logger import WandbMetricsLogger

__all__ = ["WandbMetricsLogger"]
