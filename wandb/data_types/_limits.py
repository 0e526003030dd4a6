"""What media may take: every bound, with its reason."""

from __future__ import annotations

# Encoded media wait in memory between their making and their logging, up to this much of all of them together; what
# comes on top waits in temporary files, so that a table of a hundred thousand images doesn't fill the memory.
MEMORY_BYTES_MAX = 64 << 20
# Of a file that is logged as a medium, which the run's folder gets a copy of.
FILE_BYTES_MAX = 16 << 30
# Media in one list: their row must still be a row.
BATCH_MAX = 10_000
# What is copied or hashed at a time.
CHUNK_BYTES = 1 << 20
# How deep lists and dictionaries in a cell or a figure may be nested; what is deeper contains itself, or is a mistake.
DEPTH_MAX = 32
# Of one layer over one image: a page that draws more is no picture any more.
BOXES_MAX = 100_000
# An image of more pixels than this, 512 MiB and more when it is decoded, is a bomb or a mistake.
PIXELS_MAX = 178_956_970
# On a side: what PNG readers, JPEG and browsers take.
SIDE_MAX = 65_500
# Of sound: ten hours at 48 kHz in stereo are 3.5 billion; half a billion, 2 GiB of a WAV file, is what players open.
SAMPLES_MAX = 500_000_000
# Of a page, a figure or a molecule, which a browser loads whole.
TEXT_BYTES_MAX = 256 << 20
# Of frames before they are encoded, which are copied on the way.
VIDEO_BYTES_MAX = 4 << 30
# Of a point cloud; a browser draws no more of them.
POINTS_MAX = 5_000_000
# Of a table in an artifact, whose JSON a browser loads whole.
CELLS_MAX = 20_000_000
# Of a column of arrays, unpacked.
ARRAYS_BYTES_MAX = 4 << 30
