"""Dictionaries within the config and the summary: a change inside one is a change of the key that holds it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple


class Nested(Dict[str, Any]):
    """A dictionary, with attributes, whose changes go into the run's log.

    `store` makes a value storable, `changed` is told after each change.
    """

    __slots__ = ("_changed", "_store")

    def __init__(
        self, values: Mapping[str, Any], store: Callable[[str, Any], Any], changed: Callable[[], None]
    ) -> None:
        super().__init__(values)
        object.__setattr__(self, "_store", store)
        object.__setattr__(self, "_changed", changed)

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if type(value) is dict:
            value = Nested(value, self._store, self._changed)
            super().__setitem__(key, value)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no key {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._changed()

    def update(self, *values: Any, **more: Any) -> None:
        stored = {key: self._store(key, value) for key, value in dict(*values, **more).items()}
        super().update(stored)
        self._changed()

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        value = super().pop(key, *default)
        self._changed()
        return value

    def popitem(self) -> Tuple[str, Any]:
        item = super().popitem()
        self._changed()
        return item

    def clear(self) -> None:
        super().clear()
        self._changed()

    def __reduce__(self) -> Tuple[Any, ...]:
        return dict, (plain(self),)


def plain(value: Any) -> Any:
    """A copy without views: dictionaries and lists all the way down."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
