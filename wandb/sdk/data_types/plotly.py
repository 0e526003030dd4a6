"""Plotly's figures, under the name that libraries import."""

from ...data_types._plotly import Plotly as Plotly
