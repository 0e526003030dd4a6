"""Classes, under the name that libraries import."""

from ....data_types._classes import Classes as Classes
