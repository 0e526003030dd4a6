"""Videos: frames and files."""

from __future__ import annotations

import os
from typing import Any, Optional, Sequence, Union

from .._tensors import array_of, is_tensor
from .._terminal import termwarn
from ..errors import DataError
from ._base import BatchableMedia
from ._content import Content
from ._limits import VIDEO_BYTES_MAX
from ._optional import load
from ._pixels import check_size
from ._sink import Json
from ._video_encoder import encode_video

_FPS = 4


class Video(BatchableMedia):
    """A video.

    >>> import numpy as np, wandb
    >>> frames = np.zeros((4, 3, 16, 32), np.uint8)
    >>> video = wandb.Video(frames, fps=8, format="gif")
    >>> video._width, video._height
    (32, 16)

    data_or_path: frames, (time, channels, height, width) or, for several videos side by side, (batch, time, channels,
    height, width), numbers from 0 to 255; the path of a file whose name ends in one of `EXTS`; an open file in binary.
    caption: shown beside it.
    fps: frames a second, 4 by default; a file has its own.
    format: one of `EXTS`, needed for frames and open files.

    Raises DataError, and Error where a library is missing that encodes frames (av, and Pillow for GIFs).
    """

    _log_type = "video-file"
    _folder = "media/videos"
    EXTS = ("gif", "mp4", "webm", "ogg")

    def __init__(
        self,
        data_or_path: Any,
        caption: Optional[str] = None,
        fps: Optional[float] = None,
        format: Optional[str] = None,
    ) -> None:
        super().__init__(caption)
        self._width: Optional[int] = None
        self._height: Optional[int] = None
        self._channels: Optional[int] = None
        self._format: Optional[str] = format
        if isinstance(data_or_path, (str, os.PathLike)):
            self._format = os.path.splitext(data_or_path)[1][1:].lower()
            if self._format not in self.EXTS:
                raise DataError(f"wandb.Video accepts {', '.join(self.EXTS)} formats, which {data_or_path} is none of")
            self._content = Content.of_file(data_or_path)
        elif hasattr(data_or_path, "read"):
            self._need_format("an open file")
            self._content = Content.of_bytes(data_or_path.read(), f".{self._format}")
        else:
            self._need_format("frames")
            self.data = data_or_path
            self.encode(_FPS if fps is None else fps)
            return
        if fps is not None:
            termwarn("wandb.Video: fps is for frames; a file keeps its own", repeat=False)

    def _need_format(self, what: str) -> None:
        if self._format not in self.EXTS:
            raise DataError(f"wandb.Video of {what} needs format, one of {', '.join(self.EXTS)}")

    def encode(self, fps: float = _FPS) -> None:
        """Make the file from the frames in `data`."""
        if not 0 < fps <= 1000:
            raise DataError(f"wandb.Video: fps is a number above 0 and up to 1,000, not {fps}")
        frames = _side_by_side(self.data)
        _, self._height, self._width, self._channels = frames.shape
        assert self._format is not None
        self._content = Content.of_bytes(encode_video(frames, fps, self._format), f".{self._format}")
        self.data = None

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for the run that the video is bound to, or for an artifact."""
        result = super().to_json(run_or_artifact)
        if self._width is not None:
            result["width"] = self._width
        if self._height is not None:
            result["height"] = self._height
        return result

    @classmethod
    def seq_to_json(cls, seq: Sequence[Video], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        return {
            "_type": "videos",
            "count": len(seq),
            "videos": [one.to_json(run) for one in seq],
            "captions": cls.captions(seq),
        }


def _side_by_side(data: Any) -> Any:
    """Frames as a NumPy array of bytes, (time, height, width, channels); the videos of a batch in rows and columns."""
    numpy = load("numpy", "numpy", "wandb.Video of frames")
    if is_tensor(data):
        data = array_of(data)
    elif hasattr(data, "numpy") and not hasattr(data, "__array_interface__"):
        data = data.numpy()
    video = numpy.asarray(data)
    if video.ndim == 4:
        video = video[None]
    if video.ndim != 5 or video.shape[2] not in (1, 3) or not video.size:
        raise DataError(
            f"wandb.Video: frames are (time, channels, height, width) with 1 or 3 channels, not {tuple(video.shape)}"
        )
    if video.dtype.kind not in "biuf":
        raise DataError(f"wandb.Video: frames of type {video.dtype} have no pixels; numbers from 0 to 255 are")
    if video.nbytes > VIDEO_BYTES_MAX:
        raise DataError(
            f"wandb.Video: frames of {video.nbytes:,} bytes are above the limit of {VIDEO_BYTES_MAX:,}; encode them as "
            "they come, and log the file"
        )
    if video.dtype != numpy.uint8:
        video = video.astype(numpy.uint8)
    batch, time, channels, height, width = video.shape
    places = 1 << (batch - 1).bit_length()
    if places != batch:
        video = numpy.concatenate((video, numpy.zeros((places - batch, *video.shape[1:]), numpy.uint8)))
    rows = 1 << ((batch.bit_length() - 1) // 2)
    columns = places // rows
    check_size(columns * width, rows * height)
    grid = video.reshape(rows, columns, time, channels, height, width).transpose(2, 0, 4, 1, 5, 3)
    return grid.reshape(time, rows * height, columns * width, channels)
