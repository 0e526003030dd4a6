"""Modules that threads of ours load, and forks: a child that is forked while another thread loads a module can never
load it itself, since it waits for a thread that it doesn't have.

Threads that look around beside the program load what they need as `with loading:`, and a fork waits for that.
"""

from __future__ import annotations

import os
import threading

loading = threading.RLock()

os.register_at_fork(before=loading.acquire, after_in_parent=loading.release, after_in_child=loading.release)
