"""The one table of what a server receives differently from the two clients, and why; and how it is found.

A path is that of a value in what `received.py` gives: `runs.0.rows.3.loss`, `runs.0.artifacts.model:v0.aliases`.
"""

from __future__ import annotations

import difflib
import itertools
import json
import math
import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

_ABSENT = "(nothing)"


class Difference(NamedTuple):
    path: str
    official: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.path}: official {_short(self.official)}, ours {_short(self.ours)}"


class Expected(NamedTuple):
    """A difference that is known. `libraries` and `path` are regular expressions, of the whole name and path; `when`
    looks at the values. Unless it is of all libraries, one that explains nothing any more has to go."""

    libraries: str
    path: str
    reason: str
    when: Callable[[Difference], bool] = lambda difference: True
    always: bool = True  # or only now and then


def _only_ours(*values: Any) -> Callable[[Difference], bool]:
    return lambda difference: difference.official == _ABSENT and difference.ours in values


def _close(difference: Difference) -> bool:
    both = (difference.official, difference.ours)
    return all(isinstance(one, float) for one in both) and math.isclose(*both, rel_tol=1e-9)


ALL = ".*"
EXPECTED: List[Expected] = [
    Expected(
        ALL, r"runs\.\d+\.config\..*", "an empty dictionary in the config is kept",
        lambda one: one.official == _ABSENT and _is_empty(one.ours),
    ),
    Expected(ALL, r"runs\.\d+\.summary\..*", "None in the summary is kept", _only_ours(None)),
    Expected(
        ALL, r"runs\.\d+\..*(gradients|parameters)/.*\.bins\.\d+",
        "the edges of a model's histograms are computed in 64 bits, not in 32",
        lambda one: _ABSENT not in one and math.isclose(one.official, one.ours, rel_tol=1e-5, abs_tol=1e-6),
    ),
    Expected(
        "sklearn", r"runs\.0\..*\.column_types\..*",
        "texts of NumPy's are texts in a table; the official client calls them objects of Python's",
        lambda one: one.ours == "string" or one.official == {"class_name": "str_"},
    ),
    Expected(
        "sklearn", r"runs\.0\..*confusion_matrix.*\.data\..*",
        "the official chart of a confusion matrix has actual classes under Predicted, and predicted ones under Actual",
    ),
    Expected(
        "sklearn", r"runs\.1\..*outlier_candidates.*\.data\..*", "the same sums in another order differ by a rounding",
        _close,
    ),
    Expected(
        "sklearn", r"runs\.1\..*residuals.*\.(nrows|data\..*)",
        "of many residuals a hundred are drawn; the official client draws one more",
    ),
    Expected("sklearn", r"runs\.2\..*elbow_curve.*\.data\.\d\.2", "how long each fit took"),
    Expected(
        "sklearn", r"runs\.2\.(rows\.1|.*silhouette_plot.*|summary\._step|historyLineCount)",
        "with names for clusters the official client draws no silhouettes",
    ),
    Expected(
        "optuna", r"runs\.[1-3]\.(rows\.\d+|historyLineCount|summary\.(_step|x|value|trial_number))",
        "a row with a trial's number as its step comes when the run is beyond that; the official client drops it",
    ),
    Expected(
        "lightgbm", r"runs\.1\..*",
        "the official callback fails in cross-validation since LightGBM 4.6, which gives data and metric apart",
    ),
    Expected(
        "lightning_ddp", r"runs\.0\.rows\.\d+\.trainer/global_step",
        "a row from before a step was logged has no step; the official client says that it is 0",
        lambda one: (one.official, one.ours) == (0, _ABSENT),
    ),
    Expected(
        "lightning_ddp", r"runs\.0\.artifacts\..*\.ckpt", "a checkpoint says in which folder it is", always=False,
    ),
    Expected(
        "diffusers", r"runs\.0\.config\.workflow\.0\.params\.generator\.random_state",
        "of a generator the seed is kept, and not the thousands of numbers that follow from it",
    ),
    Expected(
        "diffusers", r"runs\.0\.config\.workflow\.\d\.params\.kwargs", "what a call was given beside its own arguments",
        lambda one: one.official == "inspect._empty",
    ),
    Expected(
        "diffusers",
        r"runs\.0\.(rows\.\d+(\.after)?|.*Pipeline-Call-2.*|historyLineCount|summary\._step)",
        "the official client fails where a call has several prompts: one caption for all, and no table",
    ),
    Expected(
        "openai", r"runs\.0\.artifacts\.model-metadata:v0\.(metadata|files\.model_metadata\.json)\..*",
        "a job's fields are values; the official client writes them as Python prints them",
        lambda one: isinstance(one.official, str) and not isinstance(one.ours, str),
    ),
    Expected(
        "transformers", r"runs\.\d\..*(runtime|samples_per_second|steps_per_second)", "how fast it was",
        lambda one: _ABSENT not in (one.official, one.ours),
    ),
    Expected(
        "transformers_pipelines", r"runs\.0\..*\.data\.\d\.[023]",
        "an ID by lot, when a call was, and how long it took, which the official client says is 0",
    ),
    Expected(
        "tensorboard", r"runs\.0\.(rows\.\d+|summary)\.picture\..*",
        "an image that is alone is an image; the official client logs a list with one image",
    ),
    Expected(
        "transformers_pipelines", r"runs\.0\..*\.data\.\d\.[023]",
        "an ID by lot, when a call was, and how long it took, which the official client says is 0",
    ),
    Expected(
        "tensorboard", r"runs\.0\.(rows\.\d+|summary)\.weights\.bins\.\d+",
        "the last bin of a histogram ends with its greatest value",
    ),
    Expected(
        "tensorboard", r"runs\.\d\.metrics\..*", "values are drawn over the step that they were written with",
        lambda one: one.official == _ABSENT,
    ),
    Expected(
        "tensorboard", r"runs\.1\.(rows\.\d+|summary)\.(train|validation)/global_step",
        "each part has a step of its own",
        lambda one: one.official == _ABSENT,
    ),
    Expected(
        "tensorboard", r"runs\.1\.rows\.\d+(\.(global_step|(train|validation)/(loss|global_step)))?",
        "the last step of a file is complete when no more comes, so rows of two files can come in another order",
        always=False,
    ),
    Expected("ultralytics", r"runs\.0\..*speed_PyTorch\(ms\)", "how fast it was"),
    Expected(
        "ultralytics_callback", r"runs\.[012]\..*\.(preprocess|inference|postprocess)", "how fast it was",
    ),
    Expected(
        "ultralytics_callback", r"runs\.[012]\..*\.(blue|green)", "averages are computed in 64 bits, not in 32",
        lambda one: _ABSENT not in one and math.isclose(one.official, one.ours, rel_tol=1e-6),
    ),
    Expected(
        "ultralytics_callback", r"runs\.1\.artifacts\..*(\.masks\..*|media/images/mask/.*)",
        "a mask has the pixels of the first class; the official client counts them as background",
    ),
    Expected(
        "ultralytics_callback", r"runs\.2\..*\.media/images/.*\.png",
        "the key points of the labels are drawn where they are; the official client draws them in the corner",
    ),
    Expected(
        "ultralytics_callback", r"runs\.3\..*-Table.*",
        "pictures of classifiers are shown, and in their colours; the official client shows those of predictions alone",
    ),
    Expected(
        "sb3", r"runs\.0\.(config\.start_time|.*time/fps)", "when it was, and how fast", lambda one: _ABSENT not in one,
    ),
    Expected(
        "sb3", r"runs\.0\.(rows\.\d+|summary)\.videos", "the videos of VecVideoRecorder are logged, too",
        lambda one: one.official == _ABSENT,
    ),
    Expected(
        "sb3", r"runs\.0\.metrics\..*", "values are drawn over the step that they were written with",
        lambda one: one.official == _ABSENT,
    ),
    Expected(
        "sb3", r"runs\.0\.(rows\.\d+(\..*)?|historyLineCount|summary\._step)",
        "histograms of gradients have rows of their own; the official client puts them into those of TensorBoard",
    ),
]  # fmt: skip


def _is_empty(value: Any) -> bool:
    """Whether it is an empty dictionary, or holds nothing else."""
    return isinstance(value, dict) and all(map(_is_empty, value.values()))


def compare(official: Any, ours: Any, path: str = "runs") -> Iterator[Difference]:
    """Every value that differs. 1 and 1.0 are alike, and so are two NaN. Runs belong together in their order."""
    if isinstance(official, dict) and isinstance(ours, dict):
        for key in [*official, *(key for key in ours if key not in official)]:
            yield from compare(official.get(key, _ABSENT), ours.get(key, _ABSENT), f"{path}.{key}")
    elif isinstance(official, list) and isinstance(ours, list):
        in_order = enumerate(itertools.zip_longest(official, ours, fillvalue=_ABSENT))
        for place, pair in in_order if path == "runs" else _paired(official, ours):
            yield from compare(*pair, f"{path}.{place}")
    elif not _alike(official, ours):
        yield Difference(path, official, ours)


def _paired(official: List[Any], ours: List[Any]) -> Iterator[Tuple[int, Tuple[Any, Any]]]:
    """(place, items) of two lists. What one has more is found, so a row more makes no other row differ."""
    texts, our_texts = ([json.dumps(one, sort_keys=True) for one in items] for items in (official, ours))
    matcher = difflib.SequenceMatcher(None, texts, our_texts, autojunk=False)
    for _, begin, end, ours_begin, ours_end in matcher.get_opcodes():
        pairs = itertools.zip_longest(official[begin:end], ours[ours_begin:ours_end], fillvalue=_ABSENT)
        yield from enumerate(pairs, max(begin, ours_begin))


def _alike(official: Any, ours: Any) -> bool:
    if isinstance(official, float) and isinstance(ours, float) and math.isnan(official) and math.isnan(ours):
        return True
    return bool(official == ours) and isinstance(official, bool) == isinstance(ours, bool)


def unexpected(library: str, found: List[Difference]) -> Tuple[List[Difference], Dict[str, int]]:
    """The differences that nobody has explained, and how often each explanation was needed."""
    used: Dict[str, int] = {}
    left = []
    for difference in found:
        reason = next((one.reason for one in _of(library) if _explains(one, difference)), None)
        if reason is None:
            left.append(difference)
        else:
            used[reason] = used.get(reason, 0) + 1
    return left, used


def unused(library: str, used: Dict[str, int]) -> List[str]:
    """Explanations for this library that explain nothing any more."""
    return [one.reason for one in _of(library) if one.always and one.libraries != ALL and one.reason not in used]


def _explains(expected: Expected, difference: Difference) -> bool:
    return bool(re.fullmatch(expected.path, difference.path, re.DOTALL)) and expected.when(difference)


def _of(library: str) -> List[Expected]:
    return [one for one in EXPECTED if re.fullmatch(one.libraries, library)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
