"""The run's configuration: a dictionary with attributes, every change of which goes into the log."""

from __future__ import annotations

from typing import Any, Callable, Dict, ItemsView, Iterator, KeysView, List, Mapping, Optional, ValuesView

from .._terminal import termwarn
from ..errors import ConfigError
from ._config_sources import as_mapping
from ._nested import Nested, plain
from ._values import storable, storable_mapping

Changed = Callable[[Dict[str, Any], List[str]], None]


def _unheard(changes: Dict[str, Any], removed: List[str]) -> None:
    """What a configuration without a run does with its changes."""


class Config:
    """The configuration of a run.

    >>> config = Config({"lr": 0.1})
    >>> config.update({"epochs": 3, "model": {"layers": 2}})
    >>> config.lr, config["epochs"], config.model.layers
    (0.1, 3, 2)

    A key that is set keeps its value: another one raises ConfigError, unless `allow_val_change` says so, in `update` or
    in `init`. What stands in a dictionary within the config can be changed, and the change is recorded. A key that a
    sweep has locked keeps its value whatever the program says.
    """

    def __init__(
        self, items: Optional[Mapping[str, Any]] = None, changed: Changed = _unheard, allow_val_change: bool = False
    ) -> None:
        # Callers of other clients look for `vars(config)["_items"]`.
        self.__dict__["_items"] = dict(items or {})
        self.__dict__["_changed"] = changed
        self.__dict__["_locked"] = {}
        self.__dict__["_allow_val_change"] = allow_val_change

    def update(self, d: Any, allow_val_change: Optional[bool] = None) -> None:
        """Set several keys: from a dictionary, or anything else that `init` takes as config."""
        self._set(_storable(d), self.__dict__["_allow_val_change"] if allow_val_change is None else allow_val_change)

    def setdefaults(self, d: Any) -> None:
        """Set the keys that are not set yet."""
        self._set({key: value for key, value in _storable(d).items() if key not in self._items}, False)

    def update_locked(self, d: Any, user: Optional[str] = None, _allow_val_change: Optional[bool] = None) -> None:
        """Set keys for `user`, a sweep say, and lock them: later changes by the program are passed over."""
        values = _storable(d)
        for key in values:
            self._locked.pop(key, None)
        self._set(values, _allow_val_change is not False)
        self._locked.update(dict.fromkeys(values, user or "a sweep"))

    def merge_locked(self, d: Any, user: Optional[str] = None, _allow_val_change: Optional[bool] = None) -> None:
        """Set and lock the keys that nobody has locked yet; of dictionaries, what stands in them is put together."""
        free = {key: value for key, value in _storable(d).items() if key not in self._locked}
        merged = {key: _merged(self._items.get(key), value) for key, value in free.items()}
        self.update_locked(merged, user, _allow_val_change)

    def persist(self) -> None:
        """Return: every change is in the log already. For callers of other clients."""

    def _set(self, values: Dict[str, Any], allow_val_change: bool) -> None:
        items, locked = self._items, self._locked
        changes = {}
        for key, value in values.items():
            if key in items:
                held = items[key]
                if type(held) is type(value) and held == value:
                    continue
                if key in locked or not allow_val_change:
                    if not _same(held, value):
                        self._refuse_change(key, value)
                    continue
            changes[key] = value
        if changes:
            self._changed(changes, [])
            items.update(changes)

    def _refuse_change(self, key: str, value: Any) -> None:
        """Say that a key keeps its value; raises ConfigError where that is the program's own."""
        if key not in self._locked:
            raise ConfigError(
                f'Attempted to change value of key "{key}" from {self._items[key]!r} to {value!r}. '
                "If that is what you want, pass allow_val_change=True to config.update()"
            )
        termwarn(f"config: {key} is locked by {self._locked[key]}; the change to {value!r} is ignored")

    @property
    def _items(self) -> Dict[str, Any]:
        items: Dict[str, Any] = self.__dict__["_items"]
        return items

    @property
    def _changed(self) -> Changed:
        changed: Changed = self.__dict__["_changed"]
        return changed

    @property
    def _locked(self) -> Dict[str, str]:
        locked: Dict[str, str] = self.__dict__["_locked"]
        return locked

    def __setitem__(self, key: str, value: Any) -> None:
        self._set(_storable({key: value}), self.__dict__["_allow_val_change"])

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __getitem__(self, key: str) -> Any:
        value = self._items[key]
        if type(value) is dict:
            value = self._items[key] = Nested(
                value,
                lambda inner, item: storable(item, f"{key}.{inner}", for_config=True),
                lambda: self._changed({key: self._items[key]}, []),
            )
        return value

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the config has no key {key!r}") from None

    def __delitem__(self, key: str) -> None:
        del self._items[key]
        self._changed({}, [key])

    def __delattr__(self, key: str) -> None:
        del self[key]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> KeysView[str]:
        """The keys, in the order in which they were set."""
        return self._items.keys()

    def values(self) -> ValuesView[Any]:
        """The values, in the order of the keys."""
        return self._items.values()

    def items(self) -> ItemsView[str, Any]:
        """Keys with their values."""
        return self._items.items()

    def get(self, key: str, default: Any = None) -> Any:
        """A key's value, or `default`."""
        return self[key] if key in self._items else default

    def as_dict(self) -> Dict[str, Any]:
        """A copy as a plain dictionary."""
        return {key: plain(value) for key, value in self._items.items()}

    _as_dict = as_dict

    def __repr__(self) -> str:
        return repr(self._items)


class StaticConfig(Config):
    """A config that nobody changes: what `run.config_static` gives to code that is to read it alone."""

    def _set(self, values: Dict[str, Any], allow_val_change: bool) -> None:
        raise ConfigError(f"config_static can't be changed ({', '.join(values)}); change run.config")

    def __delitem__(self, key: str) -> None:
        raise ConfigError(f"config_static can't be changed ({key}); change run.config")


def _storable(source: Any) -> Dict[str, Any]:
    values = storable_mapping(source if type(source) is dict else as_mapping(source), "config")
    if "-" not in "".join(values):
        return values
    # Flags are often named as on the command line.
    return {key.strip("-"): value for key, value in values.items()}


def _merged(one: Any, other: Any) -> Any:
    """Two values as one: dictionaries together with what they hold, otherwise the second."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**plain(one), **{key: _merged(one.get(key), value) for key, value in other.items()}}


def _same(one: Any, other: Any) -> bool:
    if type(one) is type(other):
        return bool(one == other or (one != one and other != other))
    return isinstance(one, dict) and isinstance(other, dict) and bool(one == other)  # one of them with attributes
