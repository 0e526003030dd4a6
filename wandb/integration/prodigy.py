"""Prodigy: a dataset of annotations as a table.

from wandb.integration.prodigy import upload_dataset

with wandb.init(project="annotations"):
    upload_dataset("news_headlines")
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from ..data_types import Image, Table
from ..errors import Error
from ._library import active_run, library

_db = library("prodigy.components.db", "prodigy", "it comes from https://prodi.gy to those who have a licence")

__all__ = ["upload_dataset"]


def upload_dataset(dataset_name: str) -> None:
    """Log a dataset of Prodigy's local database to the active run, as a table of its name.

    A row is an example, a column a field that any of them has; pictures are shown, and what is nested stands as JSON.

    Raises Error where no run is active, and where there is no such dataset.
    """
    run = active_run("upload_dataset()")
    database = _db.connect()
    if dataset_name not in database.datasets:
        known = ", ".join(sorted(database.datasets)) or "none"
        raise Error(f"upload_dataset: Prodigy has no dataset {dataset_name}; its datasets: {known}")
    examples = database.get_dataset(dataset_name)
    columns = list(dict.fromkeys(name for example in examples for name in example))
    table = Table(columns=columns)
    for example in examples:
        table.add_data(*(_shown(name, example.get(name)) for name in columns))
    run.log({dataset_name: table})


def _shown(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (int, float)):
        return value
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if name == "image" and value.startswith("data:image/"):
        pillow = library("PIL.Image", "pillow")
        return Image(pillow.open(io.BytesIO(base64.b64decode(value.partition(",")[2]))))
    return value
