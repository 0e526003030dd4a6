"""What media may take: every bound, with its reason."""

from __future__ import annotations

# Encoded media wait in memory between their making and their logging, up to this much of all of them together; what
# comes on top waits in temporary files, so that a table of a hundred thousand images doesn't fill the memory.
MEMORY_BYTES_MAX = 64 << 20
# What is copied or hashed at a time.
CHUNK_BYTES = 1 << 20
