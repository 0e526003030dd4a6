"""Sound: samples and files."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any, List, Optional, Sequence, Union

from .._tensors import array_of, is_tensor
from ..errors import DataError
from ._base import BatchableMedia
from ._content import Content
from ._limits import SAMPLES_MAX
from ._optional import load
from ._sink import Json


class Audio(BatchableMedia):
    """A piece of sound.

    >>> import numpy as np, wandb
    >>> tone = np.sin(np.arange(8000) / 8).astype(np.float32)
    >>> with wandb.init(mode="offline") as run:
    ...     run.log({"tone": wandb.Audio(tone, sample_rate=8000, caption="a tone")})
    >>> run.summary["tone"]["_type"], run.summary["tone"]["path"].split("_")[0]
    ('audio-file', 'media/audio/tone')

    data_or_path: samples, (count,) or (count, channels), floats from -1 to 1 or whole numbers; the path of a sound
    file; for artifacts also an address (s3, gs, https).
    sample_rate: samples a second, needed for samples.
    caption: shown beside it.

    Raises DataError, and Error where the library soundfile is missing that writes samples as a WAV file.
    """

    _log_type = "audio-file"
    _folder = "media/audio"

    def __init__(self, data_or_path: Any, sample_rate: Optional[int] = None, caption: Optional[str] = None) -> None:
        super().__init__(caption)
        self._sample_rate = sample_rate
        self._duration: Optional[float] = None
        self._reference: Optional[str] = None
        if self.path_is_reference(data_or_path):
            self._reference = str(data_or_path)
        elif isinstance(data_or_path, (str, os.PathLike)):
            self._content = Content.of_file(data_or_path)
        else:
            self._content = self._encode(data_or_path)

    def _encode(self, data: Any) -> Content:
        if self._sample_rate is None:
            raise DataError('Argument "sample_rate" is required when instantiating wandb.Audio with raw data.')
        soundfile = load("soundfile", "soundfile", "wandb.Audio of samples")
        if is_tensor(data):
            data = array_of(data)
        if str(getattr(data, "dtype", "")) == "float16":  # WAV has no samples of that size
            data = data.astype("float32")
        count = len(data)
        if count * (data.shape[1] if getattr(data, "ndim", 1) > 1 else 1) > SAMPLES_MAX:
            raise DataError(
                f"wandb.Audio: {count:,} samples are above the limit of {SAMPLES_MAX:,}; save them as a file, and "
                "log that in an artifact"
            )
        file = io.BytesIO()
        try:
            soundfile.write(file, data, self._sample_rate, format="WAV")
        except (TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"wandb.Audio: these samples can't be written as a WAV file: {error}") from error
        self._duration = count / float(self._sample_rate)
        return Content.of_bytes(file.getvalue(), ".wav")

    def bind_to_run(
        self, run: Any, key: Union[int, str], step: Union[int, str], id_: Union[None, int, str] = None,
        ignore_copy_err: Optional[bool] = None,
    ) -> None:  # fmt: skip
        """Give the file to a run."""
        if self._reference is not None:
            raise DataError(f"{key}: sound at {self._reference} can be part of an artifact, but not of a run")
        super().bind_to_run(run, key, step, id_, ignore_copy_err)

    def _in_artifact(self, artifact: Any) -> Json:
        if self._reference is None:
            return super()._in_artifact(artifact)
        return refer(self, artifact, self._reference)

    @classmethod
    def seq_to_json(cls, seq: Sequence[Audio], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        result: Json = {"_type": "audio", "count": len(seq), "audio": [one.to_json(run) for one in seq]}
        result["sampleRates"] = cls.sample_rates(seq)
        result["durations"] = cls.durations(seq)
        captions = cls.captions(seq)
        if captions:
            result["captions"] = captions
        return result

    @classmethod
    def durations(cls, audio_list: Sequence[Audio]) -> List[Optional[float]]:
        """Seconds; None where a file was given."""
        return [one._duration for one in audio_list]

    @classmethod
    def sample_rates(cls, audio_list: Sequence[Audio]) -> List[Optional[int]]:
        """Samples a second, as they were given."""
        return [one._sample_rate for one in audio_list]

    @staticmethod
    def captions(media_items: Sequence[Any]) -> Union[bool, List[Optional[str]]]:
        """The captions of a batch, "" where there is none; False where there is none at all."""
        captions = [one._caption for one in media_items]
        return [caption or "" for caption in captions] if any(one is not None for one in captions) else False

    def resolve_ref(self) -> Optional[str]:
        """The address of a sound that is one."""
        return self._reference

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Audio) or self._caption != other._caption:
            return False
        if self._reference is not None or other._reference is not None:
            return self._reference == other._reference
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


def refer(medium: BatchableMedia, artifact: Any, address: str) -> Json:
    """Add a reference to an artifact; the JSON object of the medium that it stands for."""
    digest = hashlib.sha256(address.encode()).hexdigest()
    path = f"{medium.get_media_subdir()}/{digest[:20]}/{os.path.basename(address)}"
    artifact.add_reference(address, name=path)
    return {"_type": medium._log_type, "path": path, "sha256": digest}
