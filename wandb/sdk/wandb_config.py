"""The run's configuration: a dictionary with attributes, every change of which goes into the log."""

from __future__ import annotations

from typing import Any, Callable, Dict, ItemsView, Iterator, KeysView, List, Mapping, Optional

from ..errors import ConfigError, UsageError
from ._values import storable_mapping

Changed = Callable[[Dict[str, Any], List[str]], None]


def _unheard(changes: Dict[str, Any], removed: List[str]) -> None:
    """What a configuration without a run does with its changes."""


class Config:
    """The configuration of a run.

    >>> config = Config({"lr": 0.1})
    >>> config.update({"epochs": 3})
    >>> config.lr, config["epochs"]
    (0.1, 3)

    A key that is set keeps its value: another one raises ConfigError, unless `allow_val_change` says so.
    """

    def __init__(self, items: Optional[Mapping[str, Any]] = None, changed: Changed = _unheard) -> None:
        # Callers of other clients look for `vars(config)["_items"]`.
        self.__dict__["_items"] = dict(items or {})
        self.__dict__["_changed"] = changed

    def update(self, d: Any, allow_val_change: Optional[bool] = None) -> None:
        """Set several keys: from a dictionary, or anything with attributes, an argparse Namespace say."""
        self._set(storable_mapping(as_mapping(d), "config"), bool(allow_val_change))

    def setdefaults(self, d: Any) -> None:
        """Set the keys that are not set yet."""
        values = storable_mapping(as_mapping(d), "config")
        self._set({key: value for key, value in values.items() if key not in self._items}, False)

    def _set(self, values: Dict[str, Any], allow_val_change: bool) -> None:
        changes = {}
        for key, value in values.items():
            if key in self._items and not _same(self._items[key], value):
                if not allow_val_change:
                    raise ConfigError(
                        f'Attempted to change value of key "{key}" from {self._items[key]!r} to {value!r}. '
                        "If that is what you want, pass allow_val_change=True to config.update()"
                    )
            elif key in self._items:
                continue
            changes[key] = value
        if changes:
            self._items.update(changes)
            self._changed(changes, [])

    @property
    def _items(self) -> Dict[str, Any]:
        items: Dict[str, Any] = self.__dict__["_items"]
        return items

    @property
    def _changed(self) -> Changed:
        changed: Changed = self.__dict__["_changed"]
        return changed

    def __setitem__(self, key: str, value: Any) -> None:
        self._set(storable_mapping({key: value}, "config"), False)

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self._items[key]
        except KeyError:
            raise AttributeError(f"the config has no key {key!r}") from None

    def __delitem__(self, key: str) -> None:
        del self._items[key]
        self._changed({}, [key])

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> KeysView[str]:
        """The keys, in the order in which they were set."""
        return self._items.keys()

    def items(self) -> ItemsView[str, Any]:
        """Keys with their values."""
        return self._items.items()

    def get(self, key: str, default: Any = None) -> Any:
        """A key's value, or `default`."""
        return self._items.get(key, default)

    def as_dict(self) -> Dict[str, Any]:
        """A copy as a plain dictionary."""
        return dict(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


def as_mapping(source: Any) -> Mapping[str, Any]:
    """Configuration in any of the forms that callers have it in."""
    if source is None:
        return {}
    if isinstance(source, Config):
        return source._items
    if isinstance(source, Mapping):
        return source
    if hasattr(source, "__dict__") and not isinstance(source, type):
        attributes: Dict[str, Any] = vars(source)
        return attributes
    raise UsageError(f"config is a dictionary or a Namespace, not {type(source).__name__}")


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other or (one != one and other != other))
