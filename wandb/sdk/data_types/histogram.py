"""Histograms, under the name that libraries import."""

from ...data_types._histogram import Histogram as Histogram
