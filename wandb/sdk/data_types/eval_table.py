"""Tables of evaluations, under the name that libraries import."""

from ...data_types._eval_table import EvalTable as EvalTable
