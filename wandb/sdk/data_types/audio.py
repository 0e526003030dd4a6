"""Sound, under the name that libraries import."""

from ...data_types._audio import Audio as Audio
