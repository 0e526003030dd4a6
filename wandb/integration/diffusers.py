"""Diffusers: what each pipeline is asked for and what it makes, as media, as a table, and in the config.

from wandb.integration.diffusers import autolog

autolog({"project": "pictures"})
StableDiffusionPipeline.from_pretrained(...)("a house on a hill", num_inference_steps=20)
autolog.disable()
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Dict, List, Optional, Tuple

from ..data_types import Audio, Image, Table, Video
from ._autolog import Autolog
from ._library import library

_diffusers = library("diffusers")
_np = library("numpy")

__all__ = ["autolog"]

_PROMPT = re.compile(r"(negative_|neg_)?prompt(_\d)?")
_FRAMES_A_SECOND, _SAMPLES_A_SECOND = 4, 16_000
# What a pipeline's output calls what it has made, and what that is called here.
_MADE = {"images": "Image", "frames": "Video", "audios": "Audio"}


class _DiffusersAutolog(Autolog):
    """Log each call of a pipeline: what it makes under `Generated-Image/Pipeline-Call-N`, a row each, the prompt as the
    caption; beside prompts and pictures in the table `Result-Table/Pipeline-Call-N`; its settings in the config, under
    `workflow`. Videos and sounds are `Generated-Video` and `Generated-Audio`."""

    def __init__(self) -> None:
        super().__init__("Diffusers", self._begin, self._describe_call)
        self._calls = 0

    def _begin(self) -> List[type]:
        """The pipelines that are loaded. Diffusers loads one when it is first asked for, and that is watched then."""
        base = _diffusers.DiffusionPipeline

        def also_watch(kind: Any, /, **named: Any) -> None:
            super(base, kind).__init_subclass__(**named)
            if self.is_enabled:
                self.watch(kind)

        base.__init_subclass__ = classmethod(also_watch)
        return _subclasses(base)

    def _describe_call(
        self, arguments: Tuple[Any, ...], named: Dict[str, Any], answer: Any, seconds: float
    ) -> Optional[Dict[str, Any]]:
        pipeline = arguments[0]
        found = _made(answer)
        if found is None or self._run is None:
            return None
        what, made = found
        self._calls += 1
        call = f"Pipeline-Call-{self._calls}"
        asked = inspect.signature(pipeline.__call__).bind(*arguments[1:], **named)
        asked.apply_defaults()
        self._add_to_workflow(pipeline, asked.arguments, call)
        columns = {name: value for name, value in asked.arguments.items() if _is_shown(name, value)}
        table = Table(columns=[*map(_title, columns), f"Generated-{what}"])
        prompts = _listed(asked.arguments.get("prompt"))
        # A prompt's results stand together, and there can be several of each.
        each = max(1, len(made) // len(prompts))
        for place, one in enumerate(made):
            caption = prompts[min(place // each, len(prompts) - 1)]
            self._run.log({f"Generated-{what}/{call}": _medium(what, one, caption)})
            cells = [_cell(_listed(value), place // each) for value in columns.values()]
            table.add_data(*cells, _medium(what, one))
        return {f"Result-Table/{call}": table}

    def _add_to_workflow(self, pipeline: Any, asked: Dict[str, Any], call: str) -> None:
        assert self._run is not None
        about = {**dict(pipeline.config), "pipeline-name": type(pipeline).__name__}
        params = {name: _setting(value) for name, value in asked.items()}
        before = list(self._run.config.get("workflow") or [])
        self._run.config.update(
            {"workflow": [*before, {"pipeline": about, "params": params, "stage": call}]}, allow_val_change=True
        )


def _subclasses(base: Any) -> List[type]:
    found: List[type] = [base]
    for below in base.__subclasses__():
        found += _subclasses(below)
    return found


def _made(answer: Any) -> Optional[Tuple[str, List[Any]]]:
    """(Image, Video or Audio, the results) of what a pipeline has answered; None where it is nothing to look at."""
    if isinstance(answer, tuple) and answer:
        return ("Image", answer[0]) if isinstance(answer[0], list) else None  # with return_dict=False
    for name, what in _MADE.items():
        values = getattr(answer, name, None)
        if values is not None and not hasattr(values, "requires_grad"):  # tensors are latents, which nobody can see
            return ("Video", list(values)) if what == "Image" and _is_clips(values) else (what, list(values))
    return None


def _is_clips(values: Any) -> bool:
    """Whether it is a list of lists of pictures."""
    return bool(len(values)) and isinstance(values[0], list)


def _medium(what: str, value: Any, caption: Optional[str] = None) -> Any:
    if what == "Audio":
        return Audio(_np.asarray(value), sample_rate=_SAMPLES_A_SECOND, caption=caption)
    if what == "Image":
        return Image(value, caption=caption)
    frames = _np.stack([_np.asarray(frame) for frame in value])
    if frames.dtype.kind == "f":
        frames = (frames.clip(0, 1) * 255).round()
    frames = frames.astype(_np.uint8).transpose(0, 3, 1, 2)
    return Video(frames, fps=_FRAMES_A_SECOND, format="mp4", caption=caption)


def _is_picture(value: Any) -> bool:
    return hasattr(value, "getbands")


def _is_shown(name: str, value: Any) -> bool:
    """Whether an argument is a column: prompts, and pictures that were given."""
    return _PROMPT.fullmatch(name) is not None or (value is not None and any(map(_is_picture, _listed(value))))


def _title(name: str) -> str:
    """A column's name: Negative-Prompt, Mask-Image; what a pipeline begins with is the Source-Image."""
    return "Source-Image" if name == "image" else name.replace("neg_", "negative_").replace("_", "-").title()


def _listed(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) and value else [value]


def _cell(values: List[Any], place: int) -> Any:
    value = values[min(place, len(values) - 1)]
    return Image(value) if _is_picture(value) else "" if value is None else value


def _setting(value: Any) -> Any:
    """An argument as the config keeps it: of a generator its seed, of other objects what they are."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [_setting(one) for one in value]
    if hasattr(value, "initial_seed"):
        return {"seed": value.initial_seed(), "device": str(value.device)}
    return type(value).__name__


autolog = _DiffusersAutolog()
