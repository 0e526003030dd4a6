"""Boxes, under the name that libraries import."""

from ....data_types._boxes import BoundingBoxes2D as BoundingBoxes2D
