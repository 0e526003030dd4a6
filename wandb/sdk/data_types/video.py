"""Videos, under the name that libraries import."""

from ...data_types._video import Video as Video
