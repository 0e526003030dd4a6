"""Metadata, under the name that libraries import."""

from ....data_types._json_metadata import JSONMetadata as JSONMetadata
