"""Sections of figures, and the Markdown they become."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

NONE = "-"


@dataclass
class Table:
    """The first column holds words, the others figures."""

    header: Sequence[str]
    rows: List[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> List[str]:
        rule = [":--", *("--:" for _ in self.header[1:])]
        return ["| " + " | ".join(cells) + " |" for cells in (self.header, rule, *self.rows)]


@dataclass
class Aim:
    """What a figure should be. `met` is None where it could not be measured."""

    what: str
    aim: str
    reached: str
    met: Optional[bool]


@dataclass
class Section:
    """One measurement's part of the report; `data` goes to results.json as it is."""

    name: str
    title: str
    text: str
    tables: List[Table]
    data: Any
    aims: List[Aim] = field(default_factory=list)

    def markdown(self) -> List[str]:
        lines = [f"## {self.title}", "", self.text, ""]
        for table in self.tables:
            lines += [*table.markdown(), ""]
        return lines


def render(
    sections: List[Section], machine: Dict[str, str], failures: Dict[str, List[str]], command: str, seconds: float
) -> str:
    lines = [
        "# Figures",
        "",
        f"Measured {machine['date']} in {seconds / 60:.1f} minutes with `{command}`, which measures them again. All "
        "clients ran side by side, interleaved, offline, with their defaults, each in an environment of its own.",
        "",
        *Table(("", ""), [(name, value) for name, value in machine.items() if name != "date"]).markdown(),
        "",
        *_aims([aim for section in sections for aim in section.aims]),
        *_failures(failures),
    ]
    for section in sections:
        lines += section.markdown()
    return "\n".join(lines).rstrip() + "\n"


def _aims(aims: List[Aim]) -> List[str]:
    if not aims:
        return []
    words = {True: "yes", False: "**no**", None: "not measured"}
    table = Table(("what", "aim", "reached", "met"), [(aim.what, aim.aim, aim.reached, words[aim.met]) for aim in aims])
    return ["## Aims", "", *table.markdown(), ""]


def _failures(failures: Dict[str, List[str]]) -> List[str]:
    if not failures:
        return []
    table = Table(("client", "what failed"))
    table.rows = [(name, reason.replace("|", "\\|")) for name, reasons in failures.items() for reason in reasons]
    return ["## What could not be measured", "", *table.markdown(), ""]


def microseconds(nanoseconds: Optional[float]) -> str:
    if nanoseconds is None:
        return NONE
    value = nanoseconds / 1e3
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def milliseconds(nanoseconds: Optional[float]) -> str:
    return NONE if nanoseconds is None else f"{nanoseconds / 1e6:.1f} ms"


def seconds(value: Optional[float]) -> str:
    return NONE if value is None else f"{value:.2f} s"


def times(value: Optional[float]) -> str:
    if value is None:
        return NONE
    return f"{value:.2f} x" if value < 10 else f"{value:.0f} x"


def part(value: Optional[float]) -> str:
    """A ratio of which more is better, as the part that it leaves: 20 is "1/20"."""
    return NONE if value is None else f"1/{value:.1f}" if value < 10 else f"1/{value:.0f}"


def megabytes(value: Optional[float]) -> str:
    return NONE if value is None else f"{value / 1e6:.1f}"
