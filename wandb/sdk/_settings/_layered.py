"""Values in layers: each setting remembers who gave it a value, and what that overrode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, TypeVar

from ...errors import UsageError
from ._field import Field, accepted, setting
from ._sources import ASSIGNED, CODE, DEFAULT, is_policy

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Only type checkers look at it."""
        return lambda cls: cls


MASK = "********"
# Of a value that is no good, an error shows so many characters.
_SHOWN_MAX = 100

Self = TypeVar("Self", bound="Layered")


class Given(NamedTuple):
    """A value and who gave it."""

    value: Any
    source: str
    place: str = ""  # the file or variable, where the source has several

    @property
    def origin(self) -> str:
        """The source and the place, for people."""
        return f"{self.source} ({self.place})" if self.place else self.source


@dataclass_transform(kw_only_default=True, field_specifiers=(setting, accepted))
class Layered:
    """The base of a settings class, whose body lists the settings. The defaults are attributes of the class, and the
    values that somebody gave those of the object."""

    _fields: ClassVar[Dict[str, Field]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        cls._fields = {**cls._fields, **own}
        for name, field in own.items():
            setattr(cls, name, field.default)

    def __init__(self, **values: Any) -> None:
        self.__dict__["_given"] = {}
        self.update(values, ASSIGNED)

    def __setattr__(self, name: str, value: Any) -> None:
        given = Given(value, ASSIGNED)
        default = self._fields[self._name_of(name, given)].default
        self.take(name, given._replace(value=default) if value is None else given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # a protocol that Python looks for
        found = _with_x(name)
        if found not in self._fields:
            raise AttributeError(unknown_setting(name, self._fields))
        return getattr(self, found)

    def __copy__(self: Self) -> Self:
        other = type(self)()
        other.__dict__.update(self.__dict__)
        other.__dict__["_given"] = {name: list(given) for name, given in self._layers.items()}
        return other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layered) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        said = (f"{name}={self.shown(name, getattr(self, name))}" for name in self._layers)
        return f"{type(self).__name__}({', '.join(said)})"

    @property
    def _layers(self) -> Dict[str, List[Given]]:
        """What was given for each setting, the value in effect at the end."""
        layers: Dict[str, List[Given]] = self.__dict__["_given"]
        return layers

    # --- reading ------------------------------------------------------------------------------------------------------

    def given(self, name: str) -> Given:
        """The value in effect, and where it comes from."""
        layers = self._layers.get(name)
        return layers[-1] if layers else Given(self._fields[name].default, DEFAULT)

    def source(self, name: str) -> str:
        """Where a setting's value comes from."""
        return self.given(name).source

    def overridden(self, name: str) -> Tuple[Given, ...]:
        """What the value in effect overrode, the strongest first. The default isn't listed."""
        return tuple(reversed(self._layers.get(name, [])[:-1]))

    def chosen(self) -> Dict[str, Any]:
        """The values that code gave, also those that a policy overrode: what to pass on to another object."""
        found = {name: [one.value for one in given if one.source in CODE] for name, given in self._layers.items()}
        return {name: values[-1] for name, values in found.items() if values}

    def portable(self) -> Dict[str, Any]:
        """The values in effect that somebody gave, but for secrets: what another process may know."""
        return {name: getattr(self, name) for name in self._layers if not self._fields[name].secret}

    def to_dict(self) -> Dict[str, Any]:
        """All settings by name."""
        return {name: getattr(self, name) for name in self._fields}

    def shown(self, name: str, value: Any) -> str:
        """A value for people: secrets are masked."""
        return MASK if self._fields[name].secret and value is not None else repr(value)

    # --- giving values ------------------------------------------------------------------------------------------------

    def update(self, values: Mapping[str, Any], source: str) -> None:
        """Take the values that are not None. One that is in effect already keeps its source.

        Raises UsageError for a name or value that makes no sense.
        """
        for name, value in values.items():
            if value is None:
                continue
            name = self._name_of(name, Given(value, source))
            if name not in self._layers or getattr(self, name) != value:
                self.take(name, Given(value, source))

    def take(self, name: str, given: Given) -> None:
        """Put a value above all that were given before. Raises UsageError."""
        name = self._name_of(name, given)
        field = self._fields[name]
        value = given.value
        if is_policy(given.source) and not field.policy:
            raise UsageError(f"the setting {name} can't come from {given.origin}: policies don't decide about it")
        if value is not None:
            try:
                value = field.parse(value)
            except (ValueError, TypeError) as error:
                shown = self.shown(name, value)
                if len(shown) > _SHOWN_MAX:
                    shown = f"{shown[:_SHOWN_MAX]}…"
                raise UsageError(f"the setting {name} can't be {shown}, from {given.origin}: {error}") from None
        self._layers.setdefault(name, []).append(given._replace(value=value))
        self.__dict__[name] = value

    def _name_of(self, name: str, given: Given) -> str:
        """The setting of that name; `_name` is how older callers spell `x_name`. Raises UsageError."""
        found = _with_x(name)
        if found not in self._fields:
            raise UsageError(f"{unknown_setting(name, self._fields)} (from {given.origin})")
        return found


def _with_x(name: str) -> str:
    return f"x{name}" if name.startswith("_") else name


def unknown_setting(name: str, fields: Mapping[str, Field]) -> str:
    """What to say of a setting that doesn't exist."""
    near = nearest(name, fields)
    return f"there is no setting {name!r}" + (f"; did you mean {near!r}?" if near else "")


def nearest(name: str, fields: Mapping[str, Field], likeness: float = 0.6) -> Optional[str]:
    """The setting whose name is most like this one."""
    import difflib

    found: Iterator[str] = iter(difflib.get_close_matches(_with_x(name), fields, n=1, cutoff=likeness))
    return next(found, None)
