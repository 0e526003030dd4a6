"""Media, under the name that libraries import."""

from ....data_types._base import BatchableMedia as BatchableMedia
from ....data_types._base import Media as Media
