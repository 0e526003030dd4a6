"""`init(monitor_gym=True)`: the videos of environments that a program records are logged with its run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from libraries import import_library
from logged import rows_of

gymnasium = import_library("gymnasium")

_ENVIRONMENT = """
import sys, warnings
import numpy, wandb
{first}
class Corridor(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    render_mode = "rgb_array"
    observation_space = action_space = gymnasium.spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action):
        self.at += 1
        return self.at, 1.0, self.at == 3, False, {}

    def render(self):
        return numpy.full((16, 16, 3), self.at * 60, numpy.uint8)

{second}
environment = RecordVideo(Corridor(), "videos", episode_trigger=lambda episode: episode != 1)
for episode in range(3):
    environment.reset()
    while not environment.step(0)[2]:
        run.log({"episode": episode})
environment.close()
run.finish()
environment = RecordVideo(Corridor(), "more", episode_trigger=lambda episode: True)
environment.reset()
environment.close()  # no run
print(wandb.patched["gym"])
"""
_IMPORT = "import gymnasium\nfrom gymnasium.wrappers import RecordVideo"
_INIT = "run = wandb.init(mode='offline', monitor_gym=True, dir='.')"


def test_videos_are_logged_when_they_end(own_place: Path) -> None:
    place = Path(gymnasium.__file__).parents[1]
    for name, parts in {"before": (_INIT, ""), "after": ("", _INIT)}.items():
        folder = own_place / name
        folder.mkdir()
        first, second = (part and f"{part}\n" for part in parts)
        text = _ENVIRONMENT.replace("{first}", f"{first}{_IMPORT}").replace("{second}", second)
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.append({str(place)!r})\n{text}"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "[['gymnasium.wrappers.rendering.RecordVideo', 'stop_recording']]\n"
        run_folder = folder / "wandb" / "latest-run"
        rows = rows_of(run_folder)
        videos = [row["videos"] for row in rows if "videos" in row]
        assert [video["_type"] for video in videos] == ["video-file"] * 2
        for video in videos:
            assert (run_folder / "files" / video["path"]).stat().st_size == video["size"]
