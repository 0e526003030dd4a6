"""JSON answers that every parser takes."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class StrictJSONResponse(JSONResponse):
    """No bare NaN, and pure ASCII: text with half of a surrogate pair has no other encoding."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
