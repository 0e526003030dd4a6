"""Lists that are fetched page by page, as far as somebody looks."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Generic, Iterator, List, Optional, Sequence, TypeVar, Union, overload

from ._errors import RequestError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list."""

    objects: Sequence[T]
    cursor: Optional[str]  # where the next page starts
    more: bool
    total: Optional[int] = None  # of the whole list, where the server says it


class Paginator(ABC, Generic[T]):
    """A list whose pages are fetched when they are needed: by iteration, by index and by slice.

    What has been fetched stays: a second pass asks for nothing. Passes don't disturb each other.
    """

    def __init__(self, per_page: int = 50, start: Optional[str] = None) -> None:
        """start: the `cursor` at which an earlier list had arrived, to go on from there."""
        if per_page < 1:
            raise RequestError(f"per_page must be at least 1, not {per_page}")
        self.per_page = per_page
        self.objects: List[T] = []
        self.index = -1  # of the last object that `next` gave
        self._start = start
        self._last: Optional[Page[T]] = None

    @abstractmethod
    def _fetch(self, cursor: Optional[str], count: int) -> Page[T]:
        """Ask for the page that starts at `cursor`."""

    @property
    def more(self) -> bool:
        """Whether there is a page that hasn't been fetched."""
        return self._last is None or (self._last.more and self._last.cursor is not None)

    @property
    def cursor(self) -> Optional[str]:
        """Where the next page starts. Given to a later list as `start=`, it goes on from here."""
        return self._start if self._last is None else self._last.cursor

    def _load_page(self) -> bool:
        """Fetch the next page; False where there is none."""
        if not self.more:
            return False
        self._last = self._fetch(self.cursor, self.per_page)
        self.objects.extend(self._last.objects)
        return True

    def __iter__(self) -> Iterator[T]:
        place = 0
        while place < len(self.objects) or self._load_page():
            if place < len(self.objects):  # a page may be empty
                yield self.objects[place]
                place += 1

    def __next__(self) -> T:
        while self.index + 1 >= len(self.objects):
            if not self._load_page():
                raise StopIteration
        self.index += 1
        return self.objects[self.index]

    def next(self) -> T:
        """The next object, for loops without `for`. Raises StopIteration behind the last."""
        return self.__next__()

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> List[T]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[T, List[T]]:
        # Counted from the end, or without an end, takes the whole list.
        last = index.stop if isinstance(index, slice) else index + 1 if index >= 0 else None
        starts = (index.start or 0) if isinstance(index, slice) else index
        needed = None if last is None or last < 0 or starts < 0 else last
        while (needed is None or len(self.objects) < needed) and self._load_page():
            pass
        return self.objects[index]


class SizedPaginator(Paginator[T]):
    """A list of which the server says how long it is."""

    def __len__(self) -> int:
        if self._last is None:
            self._load_page()
        assert self._last is not None
        return len(self.objects) if self._last.total is None else self._last.total
