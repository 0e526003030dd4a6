"""Images, under the name that libraries import."""

from ...data_types._image import Image as Image
