"""Molecules, under the name that libraries import."""

from ...data_types._molecule import Molecule as Molecule
