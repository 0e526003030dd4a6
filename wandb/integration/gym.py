"""Gymnasium and Gym: the videos of environments that a program records are logged with its run.

`init(monitor_gym=True)` is all it takes; `monitor` is for programs that set it up apart from `init`.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from types import ModuleType
from typing import Any, Callable, List, NamedTuple, Optional

from ..sdk import _globals
from ..sdk._when_imported import when_imported

__all__ = ["monitor"]

# Gym names a video by its number; Gymnasium by the episode or step, and all of its videos are of one key.
_NUMBERED = re.compile(r"video\.\d+")


class _Recorder(NamedTuple):
    """A class that records videos: the method that ends one, the attribute that is true up to then, and its file."""

    kind: str
    ends: str
    under_way: Callable[[Any], bool]
    path: Callable[[Any], str]


_RECORDING = _Recorder(
    "RecordVideo", "stop_recording", lambda one: one.recording,
    lambda one: os.path.join(one.video_folder, f"{one._video_name}.mp4"),
)  # fmt: skip
_VECTOR = _Recorder("VecVideoRecorder", "_stop_recording", lambda one: one.recording, lambda one: one.video_path)
_ENCODER = _Recorder(
    "VideoRecorder", "close", lambda one: one.enabled and not getattr(one, "_closed", False), lambda one: one.path
)
_RECORDERS = {
    "gymnasium.wrappers.rendering": _RECORDING,  # from 1.0 on
    "gymnasium.wrappers.monitoring.video_recorder": _ENCODER,
    "gym.wrappers.monitoring.video_recorder": _ENCODER,
    "stable_baselines3.common.vec_env.vec_video_recorder": _VECTOR,
}


_installed: List[bool] = []


def monitor() -> None:
    """Log each video that is recorded from now on, with the run that is active when it ends. Idempotent.

    >>> from wandb.integration import gym
    >>> gym.monitor()
    """
    if not _installed:
        _installed.append(True)
        when_imported(_RECORDERS, _wrap)


def _wrap(module: ModuleType) -> None:
    recorder = _RECORDERS[module.__name__]
    kind = getattr(module, recorder.kind, None)
    end: Optional[Callable[[Any], None]] = getattr(kind, recorder.ends, None)
    if kind is None or end is None:
        return

    @functools.wraps(end)
    def end_and_log(self: Any) -> None:
        path = recorder.path(self) if recorder.under_way(self) else ""
        end(self)
        if path:
            _log(path)

    setattr(kind, recorder.ends, end_and_log)
    sys.modules["wandb"].patched["gym"].append([f"{module.__name__}.{recorder.kind}", recorder.ends])


def _log(path: str) -> None:
    run = _globals.active_run()
    if run is None or not os.path.exists(path):  # nothing was recorded
        return
    from ..data_types import Video

    numbered = _NUMBERED.search(os.path.basename(path))
    run.log({numbered[0] if numbered else "videos": Video(path)})
