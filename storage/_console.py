"""Console output as lines: what a terminal would show of a program's writes.

Carriage returns, moves of the cursor and erasures are followed, so a progress bar is one line that changes, and several
bars are several. Colours stay in the text; what else only a terminal understands is left out, and clearing the whole
screen clears nothing, because a log is read later. Lines are numbered from 0 over both streams, in the order in which
they were begun; of each stream the last 32 can still change.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Dict, List, NamedTuple, Union

# A terminal line longer than this is cut: the server's limit, and nobody reads further.
LINE_CHARACTERS_MAX = 4096
# As many as a program may draw on: the height of a small terminal.
LINES_OPEN_MAX = 32
# A line is closed when so many others have come after it, although its own stream has been quiet since.
_AGE_MAX = 256
# An escape sequence that is longer is no escape sequence.
_SEQUENCE_CHARACTERS_MAX = 256

_CONTROL = re.compile(
    r"\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<command>[@-~])"  # a command with arguments
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[ -/]*[0-Z\\^-~]"  # all others
    r"|(?P<move>[\r\n\b])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_MOVES = {"\n": "\n", "\r": "\r", "\b": "D"}


class ConsoleLine(NamedTuple):
    """One line as it stands after a write. A later write may replace it by one of the same number."""

    number: int
    time: float
    stream: int
    text: str


class _Line:
    """A line's characters, each with the colours that stand before it, and the last one with those behind it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cells: List[str] = []

    @property
    def text(self) -> str:
        return "".join(self.cells)[:LINE_CHARACTERS_MAX]

    def snapshot(self) -> List[Any]:
        """The number, then the cells: those of one character as one text, each with colours as a list of its own."""
        parts: List[Union[str, List[str]]] = []
        for plain, group in itertools.groupby(self.cells, lambda cell: len(cell) == 1):
            cells = list(group)
            parts += ["".join(cells)] if plain else [[cell] for cell in cells]
        return [self.number, *parts]

    @classmethod
    def restore(cls, snapshot: List[Any]) -> _Line:
        number, *parts = snapshot
        line = cls(number)
        for part in parts:
            line.cells.extend(part)
        return line


class ConsoleLines:
    """The lines of each stream that can still change, and the number of the next."""

    def __init__(self) -> None:
        self.count = 0
        self._screens: Dict[int, _Screen] = {}

    @property
    def settled(self) -> int:
        """The first line that a later write can change."""
        return min((screen.lines[0].number for screen in self._screens.values() if screen.lines), default=self.count)

    def write(self, time: float, stream: int, text: str) -> List[ConsoleLine]:
        """The lines that a write begins or changes."""
        screen = self._screens.get(stream)
        if screen is None:
            screen = self._screens[stream] = _Screen()
        changed: Dict[int, _Line] = {}
        self.count = screen.write(text, self.count, changed)
        for each in self._screens.values():
            each.close_old(self.count)
        return [ConsoleLine(number, time, stream, changed[number].text) for number in sorted(changed)]

    def snapshot(self) -> Dict[str, Any]:
        return {"count": self.count, "screens": {str(stream): one.snapshot() for stream, one in self._screens.items()}}

    @classmethod
    def restore(cls, snapshot: Dict[str, Any]) -> ConsoleLines:
        lines = cls()
        lines.count = snapshot["count"]
        lines._screens = {int(stream): _Screen.restore(one) for stream, one in snapshot["screens"].items()}
        return lines


class _Screen:
    """The end of one stream, and where the cursor stands in it: in a line, or below the last one."""

    def __init__(self) -> None:
        self.lines: List[_Line] = []
        self._row = self._column = 0
        self._colours = ""  # for the next character
        self._unfinished = ""  # the beginning of an escape sequence

    def write(self, text: str, count: int, changed: Dict[int, _Line]) -> int:
        """Follow a write. `count` is the number of the next line, and the result that of the one after."""
        text, self._unfinished = self._unfinished + text, ""
        if "\x1b" in text[-_SEQUENCE_CHARACTERS_MAX:]:
            unfinished = _UNFINISHED.search(text, max(0, len(text) - _SEQUENCE_CHARACTERS_MAX))
            if unfinished is not None:
                text, self._unfinished = text[: unfinished.start()], unfinished.group()
        position = 0
        for control in _CONTROL.finditer(text):
            if control.start() > position:
                count = self._put(text[position : control.start()], count, changed)
            position = control.end()
            if control["command"] == "m":
                self._colour(control.group(), changed)
            else:
                command = control["command"] or _MOVES.get(control["move"] or "", "")
                count = self._obey(command, control["arguments"] or "", count, changed)
        if position < len(text):
            count = self._put(text[position:], count, changed)
        return count

    def close_old(self, count: int) -> None:
        """Let go of lines that are too far back, but not of the one that the cursor is in."""
        excess = len(self.lines) - LINES_OPEN_MAX
        while self.lines and self._row and (excess > 0 or self.lines[0].number < count - _AGE_MAX):
            del self.lines[0]
            self._row -= 1
            excess -= 1

    def _line(self, count: int, changed: Dict[int, _Line]) -> _Line:
        """The line that the cursor is in, which begins where there was none."""
        if self._row == len(self.lines):
            self.lines.append(_Line(count))
            if len(self.lines) > 2 * LINES_OPEN_MAX:  # within one long write
                self.close_old(count)
        line = self.lines[self._row]
        changed[line.number] = line
        return line

    def _put(self, text: str, count: int, changed: Dict[int, _Line]) -> int:
        line = self._line(count, changed)
        cells, column = line.cells, self._column
        text = text[: LINE_CHARACTERS_MAX - column]
        if not text:
            return max(count, line.number + 1)
        if column > len(cells):
            cells.extend(" " * (column - len(cells)))
        cells[column : column + len(text)] = text
        if self._colours:
            cells[column] = self._colours + cells[column]
            self._colours = ""
        self._column = column + len(text)
        return max(count, line.number + 1)

    def _colour(self, sequence: str, changed: Dict[int, _Line]) -> None:
        line = self.lines[self._row] if self._row < len(self.lines) else None
        if line is None or not 0 < self._column <= len(line.cells):
            self._colours = (self._colours + sequence)[-_SEQUENCE_CHARACTERS_MAX:]
        elif len(line.cells[self._column - 1]) < _SEQUENCE_CHARACTERS_MAX:
            line.cells[self._column - 1] += sequence
            changed[line.number] = line

    def _obey(self, command: str, arguments: str, count: int, changed: Dict[int, _Line]) -> int:
        if command == "\n":
            number = self._line(count, changed).number
            self._row, self._column = self._row + 1, 0
            return max(count, number + 1)
        amount = int(arguments) if arguments.isdecimal() and len(arguments) < 6 else 0
        if command == "\r":
            self._column = 0
        elif command in ("A", "F"):
            self._row = max(0, self._row - max(1, amount))
        elif command in ("B", "E"):
            # A line below the last one begins with a newline, not with a move.
            self._row = max(self._row, min(len(self.lines) - 1, self._row + max(1, amount)))
        elif command == "C":
            self._column = min(LINE_CHARACTERS_MAX, self._column + max(1, amount))
        elif command == "D":
            self._column = max(0, self._column - max(1, amount))
        elif command == "G":
            self._column = min(LINE_CHARACTERS_MAX, max(1, amount) - 1)
        elif command in ("J", "K"):
            self._erase(command, amount, changed)
        if command in ("E", "F"):
            self._column = 0
        return count

    def _erase(self, command: str, amount: int, changed: Dict[int, _Line]) -> None:
        below = self.lines[self._row : None if command == "J" else self._row + 1]
        if command == "J" and amount:
            return
        for index, line in enumerate(below):
            start = self._column if index == 0 and amount != 2 else 0
            if amount == 1:
                line.cells[:start] = " " * min(start, len(line.cells))
            elif start < len(line.cells):
                del line.cells[start:]
            changed[line.number] = line

    # --- keeping ------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Dict[str, Any]:
        return {
            "lines": [line.snapshot() for line in self.lines],
            "cursor": [self._row, self._column],
            "colours": self._colours,
            "unfinished": self._unfinished,
        }

    @classmethod
    def restore(cls, snapshot: Dict[str, Any]) -> _Screen:
        screen = cls()
        screen.lines = [_Line.restore(line) for line in snapshot["lines"]]
        screen._row, screen._column = snapshot["cursor"]
        screen._colours, screen._unfinished = snapshot["colours"], snapshot["unfinished"]
        return screen
