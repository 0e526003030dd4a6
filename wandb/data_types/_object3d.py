"""Objects in three dimensions: point clouds, and files of meshes."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from .._tensors import array_of, is_tensor
from ..errors import DataError
from ._base import BatchableMedia, media_home
from ._content import Content
from ._html import check_text_size, read_text
from ._json import dump_media_json
from ._limits import POINTS_MAX
from ._plotly import as_lists
from ._sink import ARTIFACT, Json

_LIDAR = "lidar/beta"
_SHAPES = "(n, 3) of x y z, (n, 4) with a category from 1 to 14, or (n, 6) with red, green and blue"


class Object3D(BatchableMedia):
    """A point cloud, or a mesh from a file.

    >>> import numpy as np, wandb
    >>> cloud = wandb.Object3D(np.zeros((10, 3)), caption="ten points")
    >>> box = wandb.box3d(center=(0, 0, 0), size=(1, 1, 1), orientation=(1, 0, 0, 0), color=(0, 255, 0))
    >>> boxed = wandb.Object3D.from_point_cloud(points=[(0.1, 0.2, 0.3)], boxes=[box])
    >>> boxed.get_media_subdir()
    'media/object3D'

    data_or_path: points, an array (n, 3) of x y z, (n, 4) with a category from 1 to 14, or (n, 6) with red, green and
    blue; {"type": "lidar/beta", "points", "boxes", "vectors"}; the path of a file of one of `SUPPORTED_TYPES`; an open
    file with its `file_type`.
    caption: shown beside it.

    Raises DataError.
    """

    _log_type = "object3D-file"
    _folder = "media/object3D"
    SUPPORTED_TYPES = frozenset({"obj", "gltf", "glb", "babylon", "stl", "pts.json"})
    SUPPORTED_POINT_CLOUD_TYPES = frozenset({_LIDAR})

    def __init__(self, data_or_path: Any, caption: Optional[str] = None, file_type: Optional[str] = None) -> None:
        super().__init__(caption)
        if not isinstance(data_or_path, (str, os.PathLike)) and isinstance(getattr(data_or_path, "name", None), str):
            data_or_path = data_or_path.name  # an open file that has a path
        if hasattr(data_or_path, "read"):
            if file_type not in self.SUPPORTED_TYPES:
                raise DataError(f"Object3D: an open file needs file_type, one of {_listed(self.SUPPORTED_TYPES)}")
            encoded = _read(data_or_path)
            check_text_size(len(encoded), "Object3D")
            self._content = Content.of_bytes(encoded, f".{file_type}")
        elif isinstance(data_or_path, (str, os.PathLike)):
            self._content = Content.of_file(data_or_path, self._extension(os.fspath(data_or_path)))
        else:
            scene = _scene(data_or_path) if isinstance(data_or_path, Mapping) else _points(data_or_path)
            self._content = Content.of_bytes(dump_media_json(scene, "Object3D"), ".pts.json")

    def _extension(self, path: str) -> str:
        for name in sorted(self.SUPPORTED_TYPES):
            if path.endswith(name):
                return f".{name}"
        raise DataError(f"Object3D: {path} is none of {_listed(self.SUPPORTED_TYPES)}")

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: Optional[str] = None) -> Object3D:
        """From a path, or an open file and its type."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Object3D:
        """From an array of points."""
        if not hasattr(data, "shape"):
            raise DataError(f"Object3D.from_numpy: an array is expected, not {type(data).__name__}")
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Sequence[Any],
        boxes: Sequence[Any],
        vectors: Optional[Sequence[Any]] = None,
        point_cloud_type: str = _LIDAR,
    ) -> Object3D:
        """From points with boxes (see `wandb.box3d`) and vectors ({"start", "end"}) between them."""
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for the run that the object is bound to, or for an artifact."""
        if media_home(run_or_artifact) == ARTIFACT and not self._ready_content().extension.endswith("pts.json"):
            raise DataError("Object3D: artifacts take point clouds as values; add a mesh with Artifact.add_file")
        return super().to_json(run_or_artifact)

    @classmethod
    def seq_to_json(cls, seq: Sequence[Object3D], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        objects = [one.to_json(run) for one in seq]
        names = [os.path.relpath(one["path"], cls._folder) for one in objects]
        return {"_type": "object3D", "filenames": names, "count": len(objects), "objects": objects}


def _read(file: Any) -> bytes:
    if hasattr(file, "getbuffer"):
        file.seek(0)
        return bytes(file.read())
    return read_text(file).encode()


def _points(data: Any) -> List[Any]:
    if is_tensor(data):
        data = array_of(data)
    shape = getattr(data, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] not in (3, 4, 6):
        raise DataError(f"Object3D: points are an array {_SHAPES}, not {_described(data)}")
    _check_count(shape[0])
    points: List[Any] = data.tolist()
    return points


def _scene(data: Mapping[str, Any]) -> Dict[str, Any]:
    if data.get("type") != _LIDAR:
        raise DataError(f'Object3D: a scene has the type "{_LIDAR}", not {data.get("type")!r}')
    _check_count(len(data.get("points", ())))
    return {"type": _LIDAR, **{name: as_lists(data.get(name, [])) for name in ("vectors", "points", "boxes")}}


def _check_count(count: int) -> None:
    if count > POINTS_MAX:
        raise DataError(f"Object3D: {count:,} points are above the limit of {POINTS_MAX:,}; log a sample of them")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _described(data: Any) -> str:
    shape = getattr(data, "shape", None)
    return type(data).__name__ if shape is None else f"an array {tuple(shape)}"
