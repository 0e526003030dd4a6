"""Images: arrays, figures, Pillow's images and files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import urllib.parse
import warnings
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from .._terminal import termwarn
from ..errors import DataError
from ._base import BatchableMedia, media_home
from ._boxes import BoundingBoxes2D
from ._classes import Classes
from ._content import Content
from ._figures import as_figure, is_matplotlib
from ._limits import PIXELS_MAX
from ._mask import ImageMask
from ._optional import load
from ._pixels import MODES, check_size, pixels_of
from ._png import encode_png
from ._sink import ARTIFACT, Json

_FORMATS = ("png", "jpg", "jpeg", "bmp")
# Modes whose bytes in memory are those in a PNG file.
_PLAIN_MODES = frozenset(MODES.values())

Boxes = Mapping[str, Union[BoundingBoxes2D, Dict[str, Any]]]
Masks = Mapping[str, Union[ImageMask, Dict[str, Any]]]
Layers = Union[bool, List[Any]]


class Image(BatchableMedia):
    """An image.

    >>> import numpy as np, wandb
    >>> pixels = np.zeros((32, 64, 3), np.uint8)
    >>> with wandb.init(mode="offline") as run:
    ...     run.log({"sample": wandb.Image(pixels, caption="black")})
    >>> run.summary["sample"]["width"], run.summary["sample"]["caption"]
    (64, 'black')

    data_or_path: an array (height, width) or (height, width, channels) with 1, 3 or 4 channels, of PyTorch
    (channels, height, width); an image of Pillow's; a figure of Matplotlib's; the path of an image file; for artifacts
    also an address (s3, gs, https). Another `wandb.Image` is copied, with what is given here instead of what it has.
    mode: a mode of Pillow's to convert the pixels to, "L" or "RGB" say.
    caption, grouping: shown beside the image.
    classes: the classes that boxes and masks are of, `wandb.Classes` or a list of {"id", "name"}.
    boxes, masks: layers by name, see `wandb.data_types.BoundingBoxes2D` and `ImageMask`.
    file_type: "png" (the default), "jpg" or "bmp"; an image file stays as it is.
    normalize: None takes numbers from 0 to 255 as they are, and stretches floats between 0 and 1, or -1 and 1; True
    does so with whole numbers too, False with none.

    The pixels are taken, and an array encoded, when the object is made. Raises DataError for what is no image, or one
    that is too large, Error where a library is missing.
    """

    _log_type = "image-file"
    _folder = "media/images"
    MAX_ITEMS = 108
    MAX_DIMENSION = 65500

    def __init__(
        self,
        data_or_path: Any,
        mode: Optional[str] = None,
        caption: Optional[str] = None,
        grouping: Optional[int] = None,
        classes: Union[None, Classes, Sequence[Mapping[str, Any]]] = None,
        boxes: Optional[Boxes] = None,
        masks: Optional[Masks] = None,
        file_type: Optional[str] = None,
        normalize: Optional[bool] = None,
    ) -> None:
        super().__init__(caption)
        self.format: Optional[str] = None
        self._grouping = grouping
        self._width: Optional[int] = None
        self._height: Optional[int] = None
        self._classes: Optional[Classes] = None
        self._boxes: Optional[Dict[str, BoundingBoxes2D]] = None
        self._masks: Optional[Dict[str, ImageMask]] = None
        self._reference: Optional[str] = None
        if isinstance(data_or_path, Image):
            self._copy(data_or_path)
        elif self.path_is_reference(data_or_path):
            self._refer(data_or_path)
        elif isinstance(data_or_path, (str, os.PathLike)):
            self._read(data_or_path)
        else:
            self._encode(data_or_path, mode, file_type, normalize)
        self._take_layers(classes, boxes, masks)

    # --- from what it is made -----------------------------------------------------------------------------------------

    def _copy(self, other: Image) -> None:
        self._caption = other._caption if self._caption is None else self._caption
        self._grouping = other._grouping if self._grouping is None else self._grouping
        self.format, self._content, self._reference = other.format, other._content, other._reference
        self._width, self._height, self._classes = other._width, other._height, other._classes
        self._artifact_source, self._entry = other._artifact_source, other._entry
        self._artifact_target = other._artifact_target

    def _refer(self, address: str) -> None:
        self._reference = address
        self.format = urllib.parse.urlparse(address).path.rpartition("/")[2].rpartition(".")[2]

    def _read(self, path: Union[str, os.PathLike[str]]) -> None:
        content = Content.of_file(path)
        pillow = load("PIL.Image", "pillow", "wandb.Image of a file")
        try:
            with _no_bomb_warning(), pillow.open(content.path) as image:
                self._width, self._height = image.size
                check_size(*image.size)
                image.verify()
        except DataError:
            raise
        except Exception as error:  # Pillow raises whatever its decoders meet
            if type(error).__name__ == "DecompressionBombError":
                raise DataError(f"wandb.Image: {path} is above the limit of {PIXELS_MAX:,} pixels: {error}") from error
            raise DataError(f"wandb.Image: {path} is no image that can be read: {error}") from error
        self._content, self.format = content, content.extension[1:]

    def _encode(self, data: Any, mode: Optional[str], file_type: Optional[str], normalize: Optional[bool]) -> None:
        self.format = file_type or "png"
        if self.format not in _FORMATS:
            raise DataError(f"wandb.Image: file_type must be one of {list(_FORMATS)}, not {file_type!r}")
        if is_matplotlib(data):
            encoded = self._encode_figure(data)
        elif _is_pillow(data):
            encoded = self._encode_pillow(data)
        elif hasattr(data, "ndim") and hasattr(data, "shape"):
            encoded = self._encode_array(data, mode, normalize)
        else:
            raise DataError(
                f"wandb.Image: a value of type {type(data).__name__} is no image; an array, an image of Pillow's, a "
                "figure of Matplotlib's and the path of a file are"
            )
        self._content = Content.of_bytes(encoded, f".{self.format}")

    def _encode_array(self, data: Any, mode: Optional[str], normalize: Optional[bool]) -> bytes:
        pixels = pixels_of(data, normalize)
        self._height, self._width = pixels.shape[:2]
        natural = MODES[pixels.shape[2] if pixels.ndim == 3 else 1]
        if natural == "RGBA" and self.format in ("jpg", "jpeg") and mode is None:
            termwarn("JPEG format does not support transparency. Ignoring alpha channel.", repeat=False)
            mode = "RGB"
        if self.format == "png" and mode in (None, natural):
            return encode_png(pixels)
        pillow = load("PIL.Image", "pillow", f"wandb.Image of mode {mode} and format {self.format}")
        if natural == "L" and pixels.ndim == 3:
            pixels = pixels[:, :, 0]
        try:
            image = pillow.fromarray(pixels).convert(mode or natural)
        except ValueError as error:
            raise DataError(f"wandb.Image: pixels of mode {natural} can't be turned into {mode!r}: {error}") from error
        return self._encode_pillow(image)

    def _encode_pillow(self, image: Any) -> bytes:
        check_size(*image.size)
        self._width, self._height = image.size
        if self.format == "png" and image.mode in _PLAIN_MODES and not image.info.get("icc_profile"):
            numpy = _loaded_numpy()
            if numpy is not None:
                return encode_png(numpy.asarray(image))
        file = io.BytesIO()
        options: Dict[str, Any] = {"compress_level": 1} if self.format == "png" else {}
        try:
            image.save(file, "JPEG" if self.format == "jpg" else str(self.format).upper(), transparency=None, **options)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"wandb.Image: an image of mode {image.mode} can't be a {self.format}: {error}") from error
        return file.getvalue()

    def _encode_figure(self, data: Any) -> bytes:
        figure = as_figure(data)
        file = io.BytesIO()
        options: Dict[str, Any] = {"pil_kwargs": {"compress_level": 1}} if self.format == "png" else {}
        figure.savefig(file, format=self.format, **options)
        pillow = load("PIL.Image", "pillow", "wandb.Image of a figure")
        with pillow.open(file) as image:
            self._width, self._height = image.size
        return file.getvalue()

    def _take_layers(
        self, classes: Union[None, Classes, Sequence[Mapping[str, Any]]], boxes: Optional[Boxes], masks: Optional[Masks]
    ) -> None:
        names: Dict[Any, str] = {}
        if boxes:
            _check_layers(boxes, "boxes")
            self._boxes = {
                key: layer if isinstance(layer, BoundingBoxes2D) else BoundingBoxes2D(layer, key)
                for key, layer in boxes.items()
            }
            for boxes_layer in self._boxes.values():
                names.update(boxes_layer._class_labels)
        if masks:
            _check_layers(masks, "masks")
            self._masks = {
                key: layer if isinstance(layer, ImageMask) else ImageMask(layer, key) for key, layer in masks.items()
            }
            for mask in self._masks.values():
                names.update(mask._class_labels or {})
        if classes is not None:
            class_set = classes if isinstance(classes, Classes) else Classes(classes)
            names.update({one["id"]: one["name"] for one in class_set._class_set})
        if names:
            self._classes = Classes([{"id": number, "name": name} for number, name in names.items()])

    # --- where it goes ------------------------------------------------------------------------------------------------

    def bind_to_run(
        self, run: Any, key: Union[int, str], step: Union[int, str], id_: Union[None, int, str] = None,
        ignore_copy_err: Optional[bool] = None,
    ) -> None:  # fmt: skip
        """Give the file, and those of boxes and masks, to a run."""
        if self._reference is not None:
            raise DataError(f"{key}: an image at {self._reference} can be part of an artifact, but not of a run")
        super().bind_to_run(run, key, step, id_, ignore_copy_err)
        for layers in (self._boxes, self._masks):
            for index, layer in enumerate((layers or {}).values()):
                layer.bind_to_run(run, key, step, None if id_ is None else f"{id_}{index}", ignore_copy_err)

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for the run that the image is bound to, or for an artifact."""
        result = super().to_json(run_or_artifact)
        result["format"] = self.format
        if self._width is not None and self._height is not None:
            result.update(width=self._width, height=self._height)
        if self._grouping:
            result["grouping"] = self._grouping
        if media_home(run_or_artifact) == ARTIFACT:
            self._add_classes(result, run_or_artifact)
        if self._boxes:
            result["boxes"] = {key: layer.to_json(run_or_artifact) for key, layer in self._boxes.items()}
        if self._masks:
            result["masks"] = {key: layer.to_json(run_or_artifact) for key, layer in self._masks.items()}
        return result

    def _in_artifact(self, artifact: Any) -> Json:
        if self._reference is None:
            return super()._in_artifact(artifact)
        digest = hashlib.sha256(self._reference.encode()).hexdigest()
        path = f"{self._folder}/{digest[:20]}/{os.path.basename(self._reference)}"
        artifact.add_reference(self._reference, name=path)
        return {"_type": self._log_type, "path": path, "sha256": digest}

    def _add_classes(self, result: Json, artifact: Any) -> None:
        if self._classes is None:
            if self._boxes or self._masks:
                raise DataError("wandb.Image: pass classes= with boxes or masks of an image that goes into an artifact")
            return
        entry = artifact.add(self._classes, self._classes.entry_name())
        result["classes"] = {"type": "classes-file", "path": entry.path, "digest": entry.digest}

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Image:
        """The image again, with its layers."""
        classes = json_obj.get("classes")
        boxes: Dict[str, BoundingBoxes2D] = {}
        for key, layer in (json_obj.get("boxes") or {}).items():
            boxes[key] = BoundingBoxes2D.from_json(layer, source_artifact)
            boxes[key]._key = key
        masks: Dict[str, ImageMask] = {}
        for key, layer in (json_obj.get("masks") or {}).items():
            masks[key] = ImageMask.from_json(layer, source_artifact)
            masks[key]._key = key
            masks[key]._set_artifact_source(source_artifact)
        image = cls(
            source_artifact.get_entry(json_obj["path"]).download(),
            caption=json_obj.get("caption"),
            grouping=json_obj.get("grouping"),
            classes=None if classes is None else source_artifact.get(classes["path"]),
            boxes=boxes,
            masks=masks,
        )
        image._entry = json_obj["path"]
        return image

    @classmethod
    def seq_to_json(cls, seq: Sequence[Image], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        objects = [image.to_json(run) for image in seq]
        first = seq[0]
        if any((image._width, image._height) != (first._width, first._height) for image in seq):
            termwarn(f"{key}: the images differ in size; they are shown as if they had that of the first", repeat=False)
        result: Json = {
            "_type": "images/separated",
            "width": first._width,
            "height": first._height,
            "format": first.format,
            "count": len(seq),
            "filenames": [one.get("path", one.get("artifact_path")) for one in objects],
        }
        more = {
            "captions": cls.all_captions(seq),
            "all_masks": cls.all_masks(seq, run, key, step),
            "all_boxes": cls.all_boxes(seq, run, key, step),
        }
        return {**result, **{name: value for name, value in more.items() if value}}

    @classmethod
    def all_captions(cls, images: Sequence[Image]) -> Union[bool, List[Optional[str]]]:
        """The captions of a batch; False where it has none."""
        return cls.captions(images)

    @classmethod
    def all_masks(
        cls, images: Sequence[Image], run: Any, run_key: str, step: Union[int, str]
    ) -> Union[bool, List[Any]]:
        """The masks of each image of a batch; False where none has any."""
        return _all_layers([image._masks for image in images], run)

    @classmethod
    def all_boxes(
        cls, images: Sequence[Image], run: Any, run_key: str, step: Union[int, str]
    ) -> Union[bool, List[Any]]:
        """The boxes of each image of a batch; False where none has any."""
        return _all_layers([image._boxes for image in images], run)

    def guess_mode(self, data: Any, file_type: Optional[str] = None) -> str:
        """The mode of Pillow's that an array is of. Raises DataError for one that is none."""
        channels = 1 if data.ndim == 2 else data.shape[0] if hasattr(data, "detach") else data.shape[-1]
        mode = MODES.get(channels)
        if mode is None:
            raise DataError(f"wandb.Image: Un-supported shape for image conversion {list(data.shape)}")
        return "RGB" if mode == "RGBA" and file_type in ("jpg", "jpeg") else mode

    # --- what it holds ------------------------------------------------------------------------------------------------

    @property
    def image(self) -> Any:
        """The image as one of Pillow's; None for an address."""
        if self._content is None:
            return None
        pillow = load("PIL.Image", "pillow", "wandb.Image.image")
        with _no_bomb_warning(), self._content.open() as file:
            image = pillow.open(file)
            image.load()
        return image

    def to_data_array(self) -> List[Any]:
        """Rows of pixels: numbers, or tuples of them."""
        image = self.image
        if image is None:
            return []
        flat = image.get_flattened_data if hasattr(image, "get_flattened_data") else image.getdata
        pixels = list(flat())
        return [pixels[row * image.width : (row + 1) * image.width] for row in range(image.height)]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Image):
            return False
        if self._reference is not None or other._reference is not None:
            return self._reference == other._reference
        same = (self._grouping, self._caption, self._width, self._height, self._classes) == (
            other._grouping, other._caption, other._width, other._height, other._classes
        )  # fmt: skip
        return same and (super().__eq__(other) or self.to_data_array() == other.to_data_array())

    __hash__ = None  # type: ignore[assignment]


def _all_layers(layers: Sequence[Optional[Mapping[str, Any]]], run: Any) -> Layers:
    objects = [{key: layer.to_json(run) for key, layer in one.items()} if one else None for one in layers]
    return objects if any(objects) else False


def _check_layers(layers: Any, name: str) -> None:
    if not isinstance(layers, Mapping):
        raise DataError(f'Images "{name}" argument must be a dictionary of layers by name, not {type(layers).__name__}')


def _is_pillow(data: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(data).__mro__)


def _loaded_numpy() -> Any:
    try:
        import numpy
    except ImportError:
        return None
    return numpy


@contextlib.contextmanager
def _no_bomb_warning() -> Iterator[None]:
    """Pillow warns of large images; this package has a limit of its own, and says what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
