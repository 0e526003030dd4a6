"""docs/settings.md tells the truth: it is what the settings say of themselves.

`python tests/sdk/test_settings_document.py` writes it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

from wandb import Settings
from wandb.sdk import _settings
from wandb.sdk._settings._variables import OWN_NAMES

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
_MARK = "<!-- from here on written by tests/sdk/test_settings_document.py -->\n"
_ORDER = "The sources, from the lowest to the highest. A later one wins:"


def variable_of(name: str) -> str:
    """The variable to name for a setting."""
    own = {setting: variable for variable, setting in OWN_NAMES.items() if variable != "WANDB_DESCRIPTION"}
    return own.get(name, f"WANDB__{name[2:].upper()}" if name.startswith("x_") else f"WANDB_{name.upper()}")


def types() -> Dict[str, str]:
    """As they are written in the classes."""
    found: Dict[str, str] = {}
    for cls in reversed(Settings.__mro__):
        found.update({name: str(text) for name, text in vars(cls).get("__annotations__", {}).items()})
    return found


def tables() -> Iterator[str]:
    """The part of the document that is made."""
    written = types()
    live = [name for name, field in Settings._fields.items() if not field.inert]
    yield "\n## Settings\n\n| setting | type | default | variable | what it is |\n|---|---|---|---|---|\n"
    for name in live:
        field = Settings._fields[name]
        notes = "".join(
            [" Never shown." if field.secret else "", " A policy can decide about it." if field.policy else ""]
        )
        kind, default = written[name].replace("|", "\\|"), field.default
        yield f"| `{name}` | `{kind}` | `{default!r}` | `{variable_of(name)}` | {field.help}{notes} |\n"
    yield (
        "\n## Accepted without an effect\n\nSettings of the official client that scripts and libraries set. They are "
        "held to their types; the first use of each is told in one warning.\n\n| setting | type | variable |\n"
        "|---|---|---|\n"
    )
    for name in sorted(set(Settings._fields) - set(live)):
        yield f"| `{name}` | `{written[name]}` | `{variable_of(name)}` |\n"


def made(document: str) -> str:
    return document.partition(_MARK)[0] + _MARK + "".join(tables())


def test_the_tables_are_what_the_settings_say_of_themselves() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == made(document), f"write it anew: python {__file__}"


def test_the_order_of_sources_is_the_one_that_the_code_documents() -> None:
    documented: List[str] = []
    for line in (_settings.__doc__ or "").partition(_ORDER)[2].splitlines():
        number, _, rest = line.strip().partition("  ")
        if number.isdigit():
            documented.append(rest.split("  ")[0].strip())
    assert len(documented) == 15
    text = DOCUMENT.read_text(encoding="utf-8")
    for place, source in enumerate(documented, 1):
        assert f"\n{place}. {source}" in text


if __name__ == "__main__":
    DOCUMENT.write_text(made(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
