"""Values, under the name that libraries import."""

from ....data_types._base import WBValue as WBValue
