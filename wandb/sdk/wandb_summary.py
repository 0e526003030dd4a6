"""The run's summary: one value a key, kept by the rows that are logged and by what the user sets."""

from __future__ import annotations

from typing import Any, Callable, Dict, ItemsView, Iterator, KeysView, List, Mapping, Optional

from ._values import storable_mapping

Changed = Callable[[Dict[str, Any], List[str]], None]


class Summary:
    """The summary of a run, with items and attributes.

    Reading gives what the rows logged so far add up to (see `define_metric`), and what was set here.
    """

    def __init__(self, values: Dict[str, Any], changed: Changed) -> None:
        self.__dict__["_values"] = values
        self.__dict__["_changed"] = changed

    def update(self, d: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
        """Set several keys."""
        values = storable_mapping({**(d or {}), **more}, "summary")
        if values:
            self.__dict__["_values"].update(values)
            self.__dict__["_changed"](values, [])

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getitem__(self, key: str) -> Any:
        return self.__dict__["_values"][key]

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self.__dict__["_values"][key]
        except KeyError:
            raise AttributeError(f"the summary has no key {key!r}") from None

    def __delitem__(self, key: str) -> None:
        del self.__dict__["_values"][key]
        self.__dict__["_changed"]({}, [key])

    def __contains__(self, key: object) -> bool:
        return key in self.__dict__["_values"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_values"])

    def __len__(self) -> int:
        return len(self.__dict__["_values"])

    def keys(self) -> KeysView[str]:
        """The keys, in the order in which they came."""
        keys: KeysView[str] = self.__dict__["_values"].keys()
        return keys

    def items(self) -> ItemsView[str, Any]:
        """Keys with their values."""
        items: ItemsView[str, Any] = self.__dict__["_values"].items()
        return items

    def get(self, key: str, default: Any = None) -> Any:
        """A key's value, or `default`."""
        return self.__dict__["_values"].get(key, default)

    def __repr__(self) -> str:
        return repr(self.__dict__["_values"])
