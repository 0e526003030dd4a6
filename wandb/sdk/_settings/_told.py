"""What the user is told of the settings of a run that begins: each thing once, in one line."""

from __future__ import annotations

from typing import List, Optional, Set, Tuple

from ..._terminal import termlog, termwarn
from ._layered import Given, Layered
from ._sources import CODE, ENVIRONMENT, FILES, is_enforced, is_policy

# Where a run goes. A variable that is forgotten in a shell sends it elsewhere, or code ignores one that was set for it.
_DESTINATION = ("base_url", "entity", "mode", "project")
_told: Set[str] = set()


def tell(settings: Layered) -> None:
    """Say which explicit choices were overridden, and which have no effect."""
    overridden = [line for name in settings._layers for line in _overridden(settings, name)]
    if overridden:
        termlog(f"Settings: {'; '.join(overridden)}. `wandb status --settings` shows them all")
    idle = [name for name in settings._layers if _is_idle(settings, name) and name not in _told]
    if idle:
        _told.update(idle)
        from_where = ", ".join(f"{name} from {settings.given(name).origin}" for name in idle)
        termwarn(
            f"settings without an effect here: {from_where}. They are accepted for the sake of scripts that set them"
        )


def _overridden(settings: Layered, name: str) -> List[str]:
    given = settings.given(name)
    loser = _surprised(name, given, settings.overridden(name))
    if loser is None:
        return []
    now, before = settings.shown(name, given.value), settings.shown(name, loser.value)
    line = f"{name} is {now} by {given.origin}, not {before} from {loser.origin}"
    if line in _told:
        return []
    _told.add(line)
    return [line]


def _surprised(name: str, winner: Given, overridden: Tuple[Given, ...]) -> Optional[Given]:
    """The choice that the user would miss, if there is one."""
    if is_enforced(winner.source):
        lost = [given for given in overridden if not is_policy(given.source)]
    elif name in _DESTINATION and winner.source == ENVIRONMENT:
        lost = [given for given in overridden if given.source in FILES]
    elif name in _DESTINATION and winner.source in CODE:
        lost = [given for given in overridden if given.source == ENVIRONMENT]
    else:
        lost = []
    return next((given for given in lost if given.value != winner.value), None)


def _is_idle(settings: Layered, name: str) -> bool:
    """Whether somebody asks for something that doesn't happen: a value that is the default asks for nothing."""
    field, given = settings._fields[name], settings.given(name)
    return field.inert and given.value != field.default and not is_policy(given.source)
