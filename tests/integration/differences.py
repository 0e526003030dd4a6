"""The one table of what a server receives differently from the two clients, and why; and how it is found.

A path is that of a value in what `received.py` gives: `runs.0.rows.3.loss`, `runs.0.artifacts.model:v0.aliases`.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

_ABSENT = "(nothing)"


class Expected(NamedTuple):
    """A difference that is known. `libraries` and `path` are regular expressions, of the whole name and path."""

    libraries: str
    path: str
    reason: str


EXPECTED: List[Expected] = []


class Difference(NamedTuple):
    path: str
    official: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.path}: official {_short(self.official)}, ours {_short(self.ours)}"


def compare(official: Any, ours: Any, path: str = "runs") -> Iterator[Difference]:
    """Every value that differs. 1 and 1.0 are alike, and so are two NaN."""
    if isinstance(official, dict) and isinstance(ours, dict):
        for key in [*official, *(key for key in ours if key not in official)]:
            yield from compare(official.get(key, _ABSENT), ours.get(key, _ABSENT), f"{path}.{key}")
    elif isinstance(official, list) and isinstance(ours, list) and len(official) == len(ours):
        for place, pair in enumerate(zip(official, ours)):
            yield from compare(*pair, f"{path}.{place}")
    elif not _alike(official, ours):
        yield Difference(path, official, ours)


def _alike(official: Any, ours: Any) -> bool:
    if isinstance(official, float) and isinstance(ours, float) and math.isnan(official) and math.isnan(ours):
        return True
    return bool(official == ours) and isinstance(official, bool) == isinstance(ours, bool)


def unexpected(library: str, found: List[Difference]) -> Tuple[List[Difference], Dict[str, int]]:
    """The differences that nobody has explained, and how often each explanation was needed."""
    used: Dict[str, int] = {}
    left = []
    for difference in found:
        reason = next((one.reason for one in _of(library) if re.fullmatch(one.path, difference.path)), None)
        if reason is None:
            left.append(difference)
        else:
            used[reason] = used.get(reason, 0) + 1
    return left, used


def unused(library: str, used: Dict[str, int]) -> List[str]:
    """Explanations for this library that explain nothing any more."""
    return [one.reason for one in _of(library) if one.libraries != ".*" and one.reason not in used]


def _of(library: str) -> List[Expected]:
    return [one for one in EXPECTED if re.fullmatch(one.libraries, library)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
