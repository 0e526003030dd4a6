"""What stands for the parts of the active run while there is none: every use says what is missing."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import Error


class BeforeInit:
    """Stands for the config and the summary while there is no run: every use says what is missing."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _fail(self) -> NoReturn:
        raise Error(f"You must call wandb.init() before wandb.{self.__dict__['_name']}")

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        self._fail()

    def __setattr__(self, key: str, value: Any) -> None:
        self._fail()

    def __getitem__(self, key: str) -> Any:
        self._fail()

    def __setitem__(self, key: str, value: Any) -> None:
        self._fail()

    def __repr__(self) -> str:
        return f"<wandb.{self.__dict__['_name']}: no run yet>"
