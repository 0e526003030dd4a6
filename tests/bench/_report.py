"""Sections of figures, and the Markdown they become."""

from __future__ import annotations

import dataclasses
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


@dataclass
class Part:
    """A section, and when and how it was measured."""

    section: Section
    measured: Dict[str, str]  # when, on what, with what
    failures: Dict[str, List[str]]  # what could not be measured, by client

    def to_json(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, raw: Dict[str, Any]) -> Part:
        section = raw["section"]
        tables = [Table(**table) for table in section["tables"]]
        aims = [Aim(**aim) for aim in section["aims"]]
        return cls(Section(**{**section, "tables": tables, "aims": aims}), raw["measured"], raw["failures"])


def render(parts: List[Part]) -> str:
    lines = [
        "# Figures",
        "",
        "`tox -e bench` measures them again, `tox -e bench -- --write --only NAME` one part. All clients ran side by "
        "side, interleaved, offline, with their defaults, each in an environment of its own.",
        "",
        *_machines(parts),
        *_aims([aim for part in parts for aim in part.section.aims]),
        *_failures({name: reasons for part in parts for name, reasons in part.failures.items()}),
    ]
    for part in parts:
        lines += part.section.markdown()
    return "\n".join(lines).rstrip() + "\n"


def _machines(parts: List[Part]) -> List[str]:
    """What all parts were measured on, and where they differ."""
    names = dict.fromkeys(name for part in parts for name in part.measured)
    values = {name: {part.measured.get(name, "") for part in parts} for name in names}
    same = Table(("", ""), [(name, *found) for name, found in values.items() if len(found) == 1])
    differing = [name for name, found in values.items() if len(found) > 1]
    lines = [*same.markdown(), ""] if same.rows else []
    if differing:
        each = Table(("part", *differing))
        each.rows = [(part.section.name, *(part.measured.get(name, NONE) for name in differing)) for part in parts]
        lines += [*each.markdown(), ""]
    return lines


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
