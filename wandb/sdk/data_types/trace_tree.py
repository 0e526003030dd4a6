"""Trace trees, under the name that libraries import."""

from ...data_types._trace_tree import Result as Result
from ...data_types._trace_tree import Span as Span
from ...data_types._trace_tree import SpanKind as SpanKind
from ...data_types._trace_tree import StatusCode as StatusCode
from ...data_types._trace_tree import Trace as Trace
from ...data_types._trace_tree import WBTraceTree as WBTraceTree
