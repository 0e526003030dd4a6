"""Frames become a video file: with PyAV, GIFs with Pillow."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any, Dict, Tuple

from ..errors import DataError
from ._optional import load

# (encoder, pixel format, options): what browsers play, at a quality that shows what a model made.
_CODECS: Dict[str, Tuple[str, str, Dict[str, str]]] = {
    "mp4": ("libx264", "yuv420p", {"preset": "veryfast", "crf": "20"}),
    "webm": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "4M"}),
    "ogg": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "4M"}),
}


def encode_video(frames: Any, fps: float, kind: str) -> bytes:
    """A video file of a NumPy array of bytes, (frames, height, width, channels) with 1 or 3 channels."""
    if frames.shape[3] == 1:
        frames = frames.repeat(3, axis=3)
    return _encode_gif(frames, fps) if kind == "gif" else _encode_stream(frames, fps, kind)


def _encode_gif(frames: Any, fps: float) -> bytes:
    pillow = load("PIL.Image", "pillow", "wandb.Video of frames as a GIF")
    images = [pillow.fromarray(frame).quantize(256) for frame in frames]
    file = io.BytesIO()
    duration = max(20, round(1000 / fps))  # milliseconds; browsers show nothing faster
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=False)
    return file.getvalue()


def _encode_stream(frames: Any, fps: float, kind: str) -> bytes:
    av = load("av", "av", f"wandb.Video of frames as {kind}")
    codec, pixel_format, options = _CODECS[kind]
    frames = _even(frames)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=kind) as video:
            stream = video.add_stream(codec, rate=Fraction(fps).limit_denominator(100_000))
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixel_format
            stream.options = options
            for frame in frames:
                for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                    video.mux(packet)
            for packet in stream.encode():
                video.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(f"wandb.Video: these frames can't be encoded as {kind}: {error}") from error
    return file.getvalue()


def _even(frames: Any) -> Any:
    """Encoders take even sizes: the last row and column are repeated where they must be."""
    import numpy

    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        frames = numpy.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return numpy.ascontiguousarray(frames)
