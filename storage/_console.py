"""Console output as lines: what a terminal would show of a program's writes.

A carriage return starts the line over, so a progress bar is one line that changes, not a thousand. Colours and other
escape sequences stay in the text. Lines are numbered from 0 over both streams, in the order in which they were begun.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Tuple

# A terminal line longer than this is cut: the server's limit, and nobody reads further.
LINE_CHARACTERS_MAX = 4096


class ConsoleLine(NamedTuple):
    """One line as it stands after a write. A later write may replace it by one of the same number."""

    number: int
    time: float
    stream: int
    text: str


class ConsoleLines:
    """The open line of each stream, and the number of the next."""

    def __init__(self) -> None:
        self.count = 0
        self._open: Dict[int, Tuple[int, str, str]] = {}  # stream -> (number, text, what a \r has put back)

    def write(self, time: float, stream: int, text: str) -> List[ConsoleLine]:
        """The lines that a write begins or changes."""
        changed: Dict[int, ConsoleLine] = {}
        pieces = text.replace("\r\n", "\n").split("\n")
        for index, piece in enumerate(pieces):
            if piece:
                number, line, fresh = self._open.get(stream, (-1, "", ""))
                for part, restart in _parts(piece):
                    if restart:
                        fresh = ""
                    fresh += part
                    # What is written after a \r covers the old line from its start; the rest of it stays visible.
                    line = fresh + line[len(fresh) :] if restart or len(fresh) < len(line) else fresh
                    fresh, line = fresh[:LINE_CHARACTERS_MAX], line[:LINE_CHARACTERS_MAX]
                if number < 0:
                    number, self.count = self.count, self.count + 1
                self._open[stream] = (number, line, fresh)
                changed[number] = ConsoleLine(number, time, stream, line)
            if index + 1 < len(pieces):
                if stream in self._open:
                    del self._open[stream]
                else:
                    changed[self.count] = ConsoleLine(self.count, time, stream, "")
                    self.count += 1
        return [changed[number] for number in sorted(changed)]

    def snapshot(self) -> Dict[str, Any]:
        return {"count": self.count, "open": {str(stream): list(line) for stream, line in self._open.items()}}

    @classmethod
    def restore(cls, snapshot: Dict[str, Any]) -> ConsoleLines:
        lines = cls()
        lines.count = snapshot["count"]
        lines._open = {int(stream): tuple(line) for stream, line in snapshot["open"].items()}
        return lines


def _parts(piece: str) -> List[Tuple[str, bool]]:
    """The text between carriage returns, and whether a return stands before it."""
    first, *rest = piece.split("\r")
    return ([(first, False)] if first else []) + [(part, True) for part in rest]
