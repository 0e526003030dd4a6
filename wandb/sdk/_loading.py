"""Modules that threads of ours load, and forks: a child that is forked while another thread loads a module can never
load it itself, since it waits for a thread that it doesn't have.

Threads that look around beside the program load what they need as `with loading:`, and a fork waits for that, but not
for ever: a module of the program's that forks while it is being imported may itself be what the thread waits for.
"""

from __future__ import annotations

import os
import threading

# Loading takes milliseconds, or seconds from a network filesystem that is asked for the first time.
_FORK_WAITS_SECONDS = 10.0

loading = threading.RLock()
_forking = threading.local()  # whether this thread holds the lock over the fork that it makes


def _before_fork() -> None:
    _forking.holds = loading.acquire(timeout=_FORK_WAITS_SECONDS)


def _after_fork_in_parent() -> None:
    if _forking.holds:
        loading.release()


def _after_fork_in_child() -> None:
    # Whoever held it is not in the child. The method is private, but threading relies on it for its own locks.
    loading._at_fork_reinit()  # type: ignore[attr-defined]


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
