"""Console output folded into lines: cursor moves, erasures, colours, and writes cut anywhere."""

from __future__ import annotations

import json
from typing import Dict, List

from hypothesis import given
from hypothesis import strategies as st

from wandb_storage import Console, RunState, Stream

UP, CLEAR_LINE, GREEN, PLAIN = "\x1b[A", "\x1b[2K", "\x1b[32m", "\x1b[0m"
_PIECES = ["a", "bar", "é", "\n", "\r", "\b", UP, "\x1b[2A", "\x1b[B", "\x1b[3C", "\x1b[K", CLEAR_LINE, "\x1b[J", GREEN]
PIECES = st.lists(st.sampled_from([*_PIECES, PLAIN, "\x1b]0;title\x07", "\x1b[?25l", "\x1b[5G", "\x1b7"]), max_size=40)


def shown(*writes: str) -> List[str]:
    state, lines = RunState(), {}
    for write in writes:
        lines.update({line.number: line.text for line in state.apply(Console(text=write)).console})
    return [lines[number] for number in sorted(lines)]


def test_bars_one_below_the_other_stay_where_they_are() -> None:
    """As tqdm draws them: down to the bar's line and up again."""
    outer = [f"\router {percent}%" for percent in (0, 50, 100)]
    inner = [f"\n\rinner {percent}%{UP}" for percent in (0, 50, 100)]
    writes = [text for pair in zip(outer, inner) for text in pair]
    assert shown(*writes, "\n\n", "done\n") == ["outer 100%", "inner 100%", "done"]


def test_a_live_display_is_drawn_over_itself() -> None:
    """As rich draws it: back to the first line, each line cleared and written again."""
    first = "\x1b[?25l" + f"{GREEN}epoch 1{PLAIN}\nloss 0.5"
    again = f"\r{CLEAR_LINE}{UP}{CLEAR_LINE}" + f"{GREEN}epoch 2{PLAIN}\nloss 0.25"
    assert shown(first, again, "\n\x1b[?25h") == [f"{GREEN}epoch 2{PLAIN}", "loss 0.25"]


def test_clearing_the_screen_keeps_what_was_printed() -> None:
    assert shown("result\n", "\x1b[2J\x1b[H", "more\n") == ["result", "more"]


def test_titles_and_links_leave_their_text() -> None:
    assert shown("\x1b]0;train.py\x07\x1b]8;;https://host\x1b\\here\x1b]8;;\x1b\\\n") == ["here"]


def test_only_the_end_of_a_stream_can_be_rewritten() -> None:
    numbered = "".join(f"{number}\n" for number in range(100))
    lines = shown(numbered, f"\x1b[99Atop{CLEAR_LINE}\rtop")
    assert lines[:68] == [str(number) for number in range(68)]
    assert lines.count("top") == 1


def test_a_quiet_stream_holds_no_lines_open() -> None:
    """What has settled can be written to a file, while a bar that still changes keeps its place."""
    state = RunState()
    state.apply(Console(stream=Stream.STDERR, text="warning\n"))
    for number in range(1000):
        state.apply(Console(text=f"{number}\n"))
    assert state.console.settled >= 1001 - 256
    state.apply(Console(stream=Stream.STDERR, text="bar 1%"))
    for number in range(1000):
        state.apply(Console(text=f"{number}\n"))
    (line,) = state.apply(Console(stream=Stream.STDERR, text="\rbar 2%")).console
    assert (line.number, state.console.settled) == (1001, 1001)


@given(PIECES, st.integers(1, 7))
def test_it_does_not_matter_where_writes_are_cut(pieces: List[str], size: int) -> None:
    text = "".join(pieces)
    assert shown(text) == shown(*(text[start : start + size] for start in range(0, len(text), size)))


@given(PIECES, PIECES)
def test_a_kept_state_goes_on_alike(before: List[str], after: List[str]) -> None:
    state = RunState()
    lines: Dict[int, str] = {}
    for text in before:
        state.apply(Console(text=text))
    restored = RunState.restore(json.loads(json.dumps(state.snapshot())))
    for text in after:
        expected = state.apply(Console(text=text)).console
        assert restored.apply(Console(text=text)).console == expected
        lines.update({line.number: line.text for line in expected})
    assert restored.console.settled == state.console.settled
