"""Masks, under the name that libraries import."""

from ....data_types._mask import ImageMask as ImageMask
