"""One revision a format, in order of ``down_revision``."""
