"""Bokeh's plots, under the name that libraries import."""

from ...data_types._bokeh import Bokeh as Bokeh
