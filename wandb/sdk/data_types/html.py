"""Pages, under the name that libraries import."""

from ...data_types._html import Html as Html
