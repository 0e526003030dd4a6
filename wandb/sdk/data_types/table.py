"""Tables, under the name that libraries import."""

from ...data_types._joined_table import JoinedTable as JoinedTable
from ...data_types._partitioned_table import PartitionedTable as PartitionedTable
from ...data_types._table import Table as Table
