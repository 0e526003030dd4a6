"""Every bound the server enforces, in one place, each with the reason for its size."""

from __future__ import annotations

MEBIBYTE = 1024 * 1024

# Clients put up to 10 MiB of line data into one request. The lines are JSON inside JSON, so each
# quote doubles; twice that size plus room for keys and separators never refuses an honest client.
# (A refusal is costly: clients treat 413 as final and stop the stream.)
STREAM_BYTES_MAX = 32 * MEBIBYTE

# Stream requests that are applied in one transaction, and what their lines may hold together before the next must wait:
# each of them waits for all.
STREAM_GROUP_MAX = 256
STREAM_GROUP_BYTES = 32 * MEBIBYTE

# What the bodies of all requests hold at a time, apart from files, which go to the disk as they come. A run that
# catches up sends 10 MiB at once, so fifty of them may. Parsed, which a few threads do, it takes a few times as much.
BODIES_BYTES_MAX = 512 * MEBIBYTE

# The largest thing a GraphQL request carries is a run's config or summary.
GRAPHQL_BYTES_MAX = 4 * MEBIBYTE

# Real documents are below 10 kB. Parsing is slower than linear in practice, so the document has a
# bound of its own inside the bound of the body.
QUERY_CHARACTERS_MAX = 100_000

# The longest document of a client has about 250 of them. Checking whether fields of one name agree takes the square
# of their number: 13 seconds for the characters above, half of one for this.
QUERY_TOKENS_MAX = 1_000

# Clients wait 30 seconds for an answer and then ask again, so that later work is for nobody.
GRAPHQL_SECONDS_MAX = 30.0

# Requests per second that one key, or one address without a key, may send for long, and at once. Hundreds of runs that
# send twice a second are below it; what comes above is told to wait.
REQUESTS_PER_SECOND_MAX = 1_000.0
REQUESTS_AT_ONCE_MAX = 5_000

# Keys and sessions that were wrong, from one address. They are too long to be guessed, so this only keeps a broken
# script from being work.
FAILURES_PER_SECOND_MAX = 5.0
FAILURES_AT_ONCE_MAX = 100

# Callers whose rates are remembered.
CALLERS_MAX = 10_000

# What stands before the body of a request.
HEADER_BYTES_MAX = 64 * 1024

# A connection says what it wants within this time, and a body goes on within that. Beyond a minute it has to come at
# this rate: files come over slow lines too.
HEADERS_SECONDS_MAX = 20.0
BODY_SILENCE_SECONDS_MAX = 60.0
BODY_BYTES_PER_SECOND_MIN = 512

# Of a body that is refused in the middle so much is still taken off the line, so that the client gets to read why.
UNREAD_BYTES_MAX = 16 * MEBIBYTE

# Connections that are open at once; a run has one, a browser about six.
CONNECTIONS_MAX = 4_000

# Forms and JSON of the dashboard: a key, a path.
FORM_BYTES_MAX = 16 * 1024

# One run file: a checkpoint of a large model. Larger objects belong in artifacts, which are uploaded in parts.
FILE_BYTES_MAX = 64 * 1024 * MEBIBYTE

# A manifest is read as a whole when its artifact is committed: a million files are about 200 MiB of it.
ARTIFACT_ENTRIES_MAX = 1_000_000
MANIFEST_BYTES_MAX = 256 * MEBIBYTE

# Clients send files of 2 GiB and more in parts of 100 MiB or more, and never more parts than this.
UPLOAD_PARTS_MAX = 10_000

# Uploads are written in pieces of this size, so memory use does not depend on the file.
FILE_CHUNK_BYTES = MEBIBYTE

# Larger objects go to a bucket in parts of this size, of which S3 allows 10,000; a few of them are in memory at a time.
OBJECT_PART_BYTES = 8 * MEBIBYTE

# File names are relative paths; most file systems allow 255 bytes a part and 4096 in all.
FILE_NAME_CHARACTERS_MAX = 1024
FILES_PER_REQUEST_MAX = 10_000

# JSON that is nested deeper than this would exhaust the stack of a program that walks it.
NESTING_MAX = 100

# Line numbers stay exactly representable in JSON numbers.
LINE_NUMBER_MAX = 2**53

# Clients beat every 30 s when idle and wait up to 60 s between retries, so five minutes of
# silence means several attempts in a row never happened.
HEARTBEAT_SILENCE_SECONDS_MAX = 300.0

# An upload URL has to outlive a slow queue of uploads that were registered in one batch.
UPLOAD_URL_SECONDS = 24 * 3600.0
DOWNLOAD_URL_SECONDS = 3600.0

SIGN_IN_LINK_SECONDS = 600.0
SESSION_SECONDS = 30 * 24 * 3600.0

# Of a run's description of its machine: what a client writes takes a few kilobytes.
METADATA_BYTES_MAX = 2**20

# How long a link to a project works at most; how many of them a project has at a time, more than people look through;
# and how many a browser keeps, each of 43 characters in a cookie.
SHARE_DAYS_MAX = 365
SHARE_LINKS_MAX = 500
SHARE_LINKS_KEPT = 16

# A chart is at most this many buckets wide: more than the pixels of a chart on most screens.
BUCKETS_MAX = 1024

# Keys of a run that are charted, and the characters of one; the database has an index over them.
METRICS_MAX = 10_000
METRIC_CHARACTERS_MAX = 500

# Rows of a dozen values that are in no block yet and that one request takes apart: about a tenth of a second of work;
# and those that are kept of one run, and of all runs together in values. A run that outran the making of blocks appears
# in parts.
INDEXED_ROWS_PER_REQUEST = 20_000
INDEXED_ROW_VALUES = 12
TAIL_ROWS_MAX = 50_000
TAIL_VALUES_MAX = 8_000_000

# Blocks of an exported file: some ten thousand rows, which are in memory while it is made.
EXPORT_BLOCKS = 16

# Rows up to which a chart over an axis that not every row has is drawn of the rows themselves.
EXACT_ROWS_MAX = 500_000

# Lines of a chunk, and their characters unless a single line is longer. A page of a scan or a sampled row costs the
# chunks that it touches, and a frame of this size is compressed nearly as well as a larger one.
CHUNK_LINES = 4096
CHUNK_CHARACTERS = 256 * 1024

# Chunks of a stream that come before the small ones among them are packed together.
PACKED_AFTER_CHUNKS = 64

# Rows of a block of columns. The places of rows in it have 16 bits.
BLOCK_ROWS = 4096

# A sweep's configuration; the nodes count what its references stand for.
SWEEP_CHARACTERS_MAX = 100_000
SWEEP_NODES_MAX = 100_000

# An item of a launch queue.
QUEUE_SPEC_CHARACTERS_MAX = 1_000_000
QUEUE_MESSAGE_CHARACTERS_MAX = 4_000
QUEUE_EVENTS_MAX = 100
QUEUE_COUNT_MAX = 1_000_000
QUEUE_ITEMS_OF_AN_AGENT_MAX = 1_000

# For how long an agent may be silent and keep what it has taken: as long as a run. It gives a sign of life every
# fifteen seconds.
QUEUE_LEASE_SECONDS = 300.0

# How often an item is handed out whose agents die or whose machine is taken from it: it may be what ends them.
QUEUE_HANDED_MAX = 10

# Alerts kept of a run, the newest ones.
ALERTS_MAX = 1000
ALERT_CHARACTERS_MAX = 10_000

# Pages of a connection, of the console and of the run table.
PAGE_SIZE_MAX = 1000
PAGE_SIZE_DEFAULT = 50

# Names travel in URLs and in storage ids.
NAME_CHARACTERS_MAX = 128

# Seconds between two stream requests of one run that the server asks for, by name in each answer. Clients that don't
# know the name keep their own pace, 15 seconds; ours takes it, and a page shows a row about as fast as it is logged.
TRANSMIT_SECONDS = 0.5

# The run table. Who asks for more than the first part gets it in parts of at most the second size.
TABLE_RUNS_PER_ANSWER = 1000
TABLE_RUNS_MAX = 10_000

# Columns that are told of a project's config and summary, those of each that a table shows where nobody chose, and
# values that tell whether a column differs between runs.
COLUMNS_MAX = 5000
COLUMNS_CHOSEN_MAX = 5
DISTINCT_VALUES_MAX = 64
CELL_CHARACTERS_MAX = 200

# Runs whose metrics one request may ask for, and the ids and tags of a change in bulk.
CHARTED_RUNS_MAX = 200
CHANGE_BYTES_MAX = MEBIBYTE

# Media: keys of a run, steps of a key that a slider has, values in one answer, and runs that are kept in memory.
MEDIA_KEYS_MAX = 1000
MEDIA_STEPS_MAX = 2000
MEDIA_VALUES_MAX = 100
MEDIA_INDEXES_MAX = 64

# Console lines that one request of a search reads, and finds.
SEARCHED_LINES_MAX = 100_000
FOUND_LINES_MAX = 1000

# A graph of lineage: beyond these it can't be read any more.
LINEAGE_DISTANCE_MAX = 6
LINEAGE_NODES_MAX = 150
