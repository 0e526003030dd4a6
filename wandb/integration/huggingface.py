"""Hugging Face's pipelines: what each is asked and what it answers, as a table.

from wandb.integration.huggingface import autolog

autolog({"project": "texts"})
transformers.pipeline("text-classification")(["How nice!", "How sad!"])
autolog.disable()
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Tuple

from ..data_types import Image, Table
from ..sdk._names import new_run_id
from ._autolog import Autolog
from ._library import library

_transformers = library("transformers")

__all__ = ["autolog"]

_COLUMNS = ["ID", "Model Alias", "Timestamp", "Elapsed Time", "Input", "Response", "Kwargs"]
_RANKED = ("text-classification", "sentiment-analysis", "question-answering")  # their answers are lists by nature


class _PipelineAutolog(Autolog):
    """Log calls of pipelines: a table each, named for the task or by WANDB_AUTOLOG_TABLE_NAME; a row each input."""

    def __init__(self) -> None:
        super().__init__("Hugging Face", lambda: [_transformers.Pipeline], self._rows)
        self._latest_id: Optional[str] = None

    def get_latest_id(self) -> Optional[str]:
        """The ID in the rows of the last call; None before the first one."""
        return self._latest_id

    def _rows(
        self, arguments: Tuple[Any, ...], named: Dict[str, Any], answer: Any, seconds: float
    ) -> Optional[Dict[str, Any]]:
        pipeline, asked = arguments[0], arguments[1] if len(arguments) > 1 else named.get("inputs")
        task = str(pipeline.task)
        model = getattr(pipeline.model, "model", pipeline.model)
        inputs = asked if isinstance(asked, list) else [asked]
        answers = answer if isinstance(answer, list) and isinstance(asked, list) else [answer]
        self._latest_id, now = new_run_id(16), datetime.now(timezone.utc)
        table = Table(columns=_COLUMNS)
        for one, found in zip(inputs, answers):
            if isinstance(found, list) and len(found) == 1 and task not in _RANKED:
                found = found[0]
            table.add_data(
                self._latest_id, getattr(model, "name_or_path", ""), now, seconds,
                _shown(one), _shown(found), {name: _shown(value) for name, value in named.items() if name != "inputs"},
            )  # fmt: skip
        return {os.environ.get("WANDB_AUTOLOG_TABLE_NAME", task): table}


def _shown(value: Any) -> Any:
    """A value as a table shows it: texts, numbers and what is made of them as they are, pictures as pictures."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {str(name): _shown(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        shown: List[Any] = [_shown(one) for one in value]
        return shown
    if hasattr(value, "getbands"):  # a picture of Pillow's
        return Image(value)
    if hasattr(value, "context_text"):  # a question of a question-answering pipeline
        return {"question": value.question_text, "context": value.context_text}
    return str(value)


autolog = _PipelineAutolog()
