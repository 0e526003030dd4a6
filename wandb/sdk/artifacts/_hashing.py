"""Hashes of large files, computed beside the caller.

A few threads, started with the first file and never waited for at the end of the program: what they don't finish, the
uploader does.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Callable, List, Optional

from wandb_storage import hash_descriptor

# Hashing lets go of the interpreter; more of it than this would take processors from the training.
THREADS_MAX = 2


class Hashing:
    """The hash of one file, now or soon."""

    def __init__(self, open_file: Callable[[], int], algorithm: str) -> None:
        """open_file: a descriptor of the file, wherever it lies by then."""
        self._open, self.algorithm = open_file, algorithm
        self._done = threading.Event()
        self._pid = os.getpid()
        self._digest = ""
        self._failure: Optional[OSError] = None
        self.bytes_done = 0
        self.kept_at: Optional[Path] = None  # under its lasting name, once it has one

    def run(self) -> None:
        try:
            descriptor = self._open()
            try:
                self._digest = hash_descriptor(descriptor, self.algorithm, self._count)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._failure = error
        self._done.set()

    def _count(self, size: int) -> None:
        self.bytes_done += size

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def result(self) -> str:
        """Wait for it. Raises OSError where the file can't be read."""
        if os.getpid() != self._pid and not self._done.is_set():
            self.run()  # the threads are in the parent
        self._done.wait()
        if self._failure is not None:
            raise self._failure
        return self._digest


class _Threads:
    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads: List[threading.Thread] = []
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], None]) -> None:
        self._waiting.put(work)
        with self._lock:
            if len(self._threads) < min(THREADS_MAX, os.cpu_count() or 1):
                thread = threading.Thread(target=self._work, name="wandb-hash", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while True:
            self._waiting.get()()


def start_hashing(open_file: Callable[[], int], algorithm: str) -> Hashing:
    """Begin to hash a file."""
    hashing = Hashing(open_file, algorithm)
    _threads.submit(hashing.run)
    return hashing


_threads = _Threads()


def _enter_child() -> None:
    global _threads
    _threads = _Threads()


os.register_at_fork(after_in_child=_enter_child)
