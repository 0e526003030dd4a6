"""The run's summary: one value a key, kept by the rows that are logged and by what the user sets."""

from __future__ import annotations

from typing import Any, Callable, Dict, ItemsView, Iterator, KeysView, List, Mapping, Optional, ValuesView

from ._nested import Nested, plain
from ._values import storable, storable_mapping

Changed = Callable[[Dict[str, Any], List[str]], None]


class Summary:
    """The summary of a run, with items and attributes.

    >>> import wandb
    >>> with wandb.init(mode="disabled") as run:
    ...     run.log({"loss": 0.5})
    ...     run.summary["best"] = {"loss": 0.4}
    ...     run.summary.best.epoch = 3
    >>> run.summary.loss, run.summary["best"]
    (0.5, {'loss': 0.4, 'epoch': 3})

    Reading gives what the rows logged so far add up to (see `define_metric`), and what was set here.
    """

    def __init__(self, values: Dict[str, Any], changed: Changed, run: Any = None) -> None:
        """`run` keeps the media that are set here."""
        self.__dict__["_values"] = values
        self.__dict__["_changed"] = changed
        self.__dict__["_run"] = run

    def update(self, d: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
        """Set several keys."""
        values = storable_mapping({**(d or {}), **more}, "summary", self.__dict__["_run"], "summary")
        if values:
            self.__dict__["_changed"](values, [])
            self.__dict__["_values"].update(values)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getitem__(self, key: str) -> Any:
        values = self.__dict__["_values"]
        value = values[key]
        if type(value) is dict:
            value = values[key] = Nested(
                value,
                lambda inner, item: storable(item, f"{key}.{inner}", run=self.__dict__["_run"], step="summary"),
                lambda: self.__dict__["_changed"]({key: values[key]}, []),
            )
        return value

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the summary has no key {key!r}") from None

    def __delitem__(self, key: str) -> None:
        del self.__dict__["_values"][key]
        self.__dict__["_changed"]({}, [key])

    def __delattr__(self, key: str) -> None:
        del self[key]

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

    def values(self) -> ValuesView[Any]:
        """The values, in the order of the keys."""
        values: ValuesView[Any] = self.__dict__["_values"].values()
        return values

    def items(self) -> ItemsView[str, Any]:
        """Keys with their values."""
        items: ItemsView[str, Any] = self.__dict__["_values"].items()
        return items

    def get(self, key: str, default: Any = None) -> Any:
        """A key's value, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def as_dict(self) -> Dict[str, Any]:
        """A copy as a plain dictionary."""
        return {key: plain(value) for key, value in self.items()}

    _as_dict = as_dict

    def __repr__(self) -> str:
        return repr(self.__dict__["_values"])
