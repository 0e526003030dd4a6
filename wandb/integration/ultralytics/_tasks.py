"""What is shown of the results of each of Ultralytics' tasks: boxes, masks, poses, classes."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

from ...data_types import Image
from .._library import library

_ops = library("ultralytics.utils.ops", "ultralytics")
_plotting = library("ultralytics.utils.plotting", "ultralytics")
_np = library("numpy")

_PREDICTED, _TRUE = "predictions", "ground-truth"


class Detection:
    """Boxes. `shown` names the columns of a prediction, `compared` those of a picture whose contents are known.

    Results are on the CPU. skeleton: whether the key points of a pose are joined.
    """

    shown: Tuple[str, ...] = ("Image", "Num-Objects", "Mean-Confidence", "Speed")
    compared: Tuple[str, ...] = ("Image", "Mean-Confidence", "Speed")

    def __init__(self, skeleton: bool) -> None:
        self._skeleton = skeleton

    def pictures(self, batch: Any) -> Any:
        """Those of a batch of the validation data, as a predictor takes them."""
        return batch["im_file"]

    def show(self, result: Any) -> List[Any]:
        """The values of a prediction's row."""
        boxes = {_PREDICTED: self._seen(result)}
        image = self._image(_rgb(result.orig_img), result, boxes)
        return [image, len(result.boxes), self._confidences(result), result.speed]

    def compare(self, result: Any, batch: Any, index: int, names: Mapping[int, str]) -> List[Any]:
        """The values of the row of a batch's picture."""
        boxes = {_TRUE: _there(batch, index, names), _PREDICTED: self._seen(result)}
        return [self._image(batch["im_file"][index], result, boxes), self._confidences(result), result.speed]

    def _image(self, picture: Any, result: Any, boxes: Dict[str, Any]) -> Image:
        return Image(picture, boxes=boxes)

    def _labels(self, result: Any) -> Dict[int, str]:
        return _labels(result.names)

    def _confidences(self, result: Any) -> Dict[str, float]:
        """How sure the model is of each class, on average; 0 of those that it doesn't see."""
        found: Dict[str, List[float]] = {name: [] for name in self._labels(result).values()}
        for kind, confidence in zip(result.boxes.cls.int().tolist(), result.boxes.conf.tolist()):
            found[str(result.names[kind])].append(confidence)
        return {name: sum(values) / len(values) if values else 0 for name, values in found.items()}

    def _seen(self, result: Any) -> Dict[str, Any]:
        """The boxes of a result."""
        kinds, confidences = result.boxes.cls.int().tolist(), result.boxes.conf.tolist()
        boxes = zip(result.boxes.xywh.int().tolist(), kinds, confidences)
        return {
            "box_data": [_box(place, kind, result.names, confidence) for place, kind, confidence in boxes],
            "class_labels": self._labels(result),
        }


class Segmentation(Detection):
    """Boxes, and the class of each pixel."""

    def _labels(self, result: Any) -> Dict[int, str]:
        return {**_labels(result.names), len(result.names): "background"}

    def _image(self, picture: Any, result: Any, boxes: Dict[str, Any]) -> Image:
        if result.masks is None:
            return Image(picture, boxes=boxes)
        background = len(result.names)
        height, width = result.orig_img.shape[:2]
        classes = _np.full((height, width), background, _np.uint8)
        masks = _ops.scale_masks(result.masks.data[None].float(), (height, width))[0].numpy() > 0.5
        for mask, kind in zip(masks, result.boxes.cls.int().tolist()):
            classes[mask] = kind
        shown = {"mask_data": classes, "class_labels": self._labels(result)}
        return Image(picture, boxes=boxes, masks={_PREDICTED: shown})


class Pose(Detection):
    """Boxes and key points."""

    shown = ("Image-Prediction", "Num-Instances", "Mean-Confidence", "Speed")
    compared = ("Image-Ground-Truth", "Image-Prediction", "Num-Instances", "Mean-Confidence", "Speed")

    def compare(self, result: Any, batch: Any, index: int, names: Mapping[int, str]) -> List[Any]:
        """The values of the row of a batch's picture, which is there twice."""
        points = batch["keypoints"][batch["batch_idx"] == index].clone()
        height, width = batch["resized_shape"][index]
        points[..., 0] *= width
        points[..., 1] *= height
        points = _ops.scale_coords(
            (height, width), points, batch["ori_shape"][index], ratio_pad=batch["ratio_pad"][index]
        )
        there = Image(self._drawn(result.orig_img, points), boxes={_TRUE: _there(batch, index, names)})
        return [there, *self.show(result)]

    def _image(self, picture: Any, result: Any, boxes: Dict[str, Any]) -> Image:
        points = [] if result.keypoints is None else result.keypoints.data
        return Image(self._drawn(result.orig_img, points), boxes=boxes)

    def _drawn(self, picture: Any, instances: Any) -> Any:
        annotator = _plotting.Annotator(_rgb(picture))
        for points in instances:
            annotator.kpts(points, shape=picture.shape[:2], kpt_line=self._skeleton)
        return annotator.result()


class Classification(Detection):
    """A class for each picture, and how sure the model is of each class."""

    shown = (
        "Image", "Predicted-Category", "Prediction-Confidence", "Top-5-Prediction-Categories",
        "Top-5-Prediction-Confindence", "Probabilities", "Speed",
    )  # fmt: skip
    compared = (shown[0], "Ground-Truth-Category", *shown[1:])

    def pictures(self, batch: Any) -> Any:
        """Those of a batch: as bytes, in OpenCV's order of colours."""
        return [
            _rgb((picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()) for picture in batch["img"]
        ]

    def show(self, result: Any) -> List[Any]:
        """The values of a prediction's row."""
        found, names = result.probs, result.names
        likely = {str(names[place]): part for place, part in enumerate(found.data.tolist())}
        best = [str(names[place]) for place in found.top5]
        return [
            Image(_rgb(result.orig_img)), str(names[found.top1]), float(found.top1conf), best,
            [likely[name] for name in best], likely, result.speed,
        ]  # fmt: skip

    def compare(self, result: Any, batch: Any, index: int, names: Mapping[int, str]) -> List[Any]:
        """The values of the row of a batch's picture."""
        image, *rest = self.show(result)
        return [image, str(names[int(batch["cls"][index])]), *rest]


TASKS: Dict[str, Type[Detection]] = {
    "classify": Classification,
    "detect": Detection,
    "pose": Pose,
    "segment": Segmentation,
}


def _rgb(picture: Any) -> Any:
    """A picture of OpenCV's with its colours the other way round."""
    return _np.ascontiguousarray(picture[..., ::-1])


def _labels(names: Mapping[int, Any]) -> Dict[int, str]:
    return {int(number): str(name) for number, name in names.items()}


def _there(batch: Any, index: int, names: Mapping[int, str]) -> Dict[str, Any]:
    """The boxes of a batch's picture, as the data's labels say."""
    mine = batch["batch_idx"] == index
    kinds = batch["cls"][mine].flatten().int().tolist()
    height, width = batch["resized_shape"][index]
    corners = _ops.xywhn2xyxy(batch["bboxes"][mine].clone(), w=width, h=height)
    corners = _ops.scale_boxes((height, width), corners, batch["ori_shape"][index], ratio_pad=batch["ratio_pad"][index])
    places = _ops.xyxy2xywh(corners).int().tolist()
    return {
        "box_data": [_box(place, kind, names) for place, kind in zip(places, kinds)],
        "class_labels": _labels(names),
    }


def _box(place: List[int], kind: int, names: Mapping[int, Any], confidence: Optional[float] = None) -> Dict[str, Any]:
    x, y, width, height = place
    return {
        "position": {"middle": [x, y], "width": width, "height": height},
        "domain": "pixel",
        "class_id": kind,
        "box_caption": str(names[kind]),
        **({} if confidence is None else {"scores": {"confidence": confidence}}),
    }
