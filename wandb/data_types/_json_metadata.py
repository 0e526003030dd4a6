"""Metadata of media that is a JSON file of its own."""

from __future__ import annotations

from typing import Any, Dict

from ._base import Media
from ._content import Content
from ._json import dump_media_json
from ._sink import Json


class JSONMetadata(Media):
    """Any JSON structure, as a file. Subclasses say what it is called, and what it must look like.

    >>> from wandb.data_types import JSONMetadata
    >>> JSONMetadata({"answer": 42}).type_name()
    'metadata'
    """

    def __init__(self, val: Dict[str, Any]) -> None:
        super().__init__()
        self.validate(val)
        self._val: Any = val
        self._content = Content.of_bytes(dump_media_json(val, type(self).__name__), f".{self.type_name()}.json")

    @classmethod
    def get_media_subdir(cls) -> str:
        """The folder for files of this kind."""
        return f"media/metadata/{cls.type_name()}"

    @classmethod
    def type_name(cls) -> str:
        """What `_type` says."""
        return "metadata"

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object that names the file."""
        return {**super().to_json(run_or_artifact), "_type": self.type_name()}

    def validate(self, val: Dict[str, Any]) -> bool:
        """Whether the structure is as it must be. Raises DataError that says what isn't."""
        return True
