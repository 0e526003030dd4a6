"""Bayesian search: a Gaussian process over what was tried, and where it expects to improve most.

scikit-learn does the mathematics. Parameters are mapped to the unit cube by their distributions, so that what is even
there is as likely as the configuration says; choices get an axis each. Losses are brought near a normal distribution
first, since many are skewed by orders of magnitude. Runs that are under way count as if they ended as expected, so that
agents side by side don't try the same. A process that has looked closely at a good place is too sure of what is around
it; so by turns a proposal has to promise more than the last hair of it.
"""

from __future__ import annotations

import math
import random
import warnings
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple, cast

from ._config import Checked, Parameter, Path, SweepConfigError
from ._distributions import place_of, value_at
from ._search import Trial, Values, losses, random_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# So many trials come from an even cover of the space before anything is learned.
_FIRST_MIN, _FIRST_PER_AXIS, _FIRST_MAX = 4, 1, 12
# The work grows with the cube of the trials: beyond this the best and the newest count.
_TRIALS_MAX = 100
_CANDIDATES = 1_024
_NEIGHBOURS = 256
_NEIGHBOUR_SCALES = (0.1, 0.03, 0.01)
_FIT_ITERATIONS_MAX = 20
# By how many deviations of the losses the best must be beaten, by turns.
_MARGINS = (0.0, 0.0, 0.02)


def promising_values(sweep_id: str, config: Checked, trials: Sequence[Trial], source: random.Random) -> Dict[Path, Any]:
    """The values with the greatest expected improvement over the best loss so far.

    Raises SweepConfigError where scikit-learn is not installed.
    """
    searched = [parameter for parameter in config.parameters if parameter.kind != "constant"]
    if not searched or config.metric is None:
        return random_values(config.parameters, source)
    try:
        import numpy as np
        from threadpoolctl import threadpool_limits  # which scikit-learn brings
    except ImportError:
        problem = "'bayes' needs scikit-learn; install it with: pip install 'wandb[sweeps]'"
        raise SweepConfigError(("method",), problem) from None
    space = _Space(searched)
    first = min(max(_FIRST_MIN, _FIRST_PER_AXIS * (space.axes + 1)), _FIRST_MAX)
    known = _known(config, trials)
    if len(trials) < first or len(known) < 2:
        place = space.cover(sweep_id, len(trials))
        return {**random_values(config.parameters, source), **space.values(place)}
    points = np.array([space.point(trial.values) for trial, _ in known])
    waiting = [space.point(trial.values) for trial in trials if not trial.ended]
    numbers = np.random.default_rng(source.getrandbits(64))
    with threadpool_limits(1):  # matrices this small only lose by being shared out
        chosen = _chosen(space, points, np.array([loss for _, loss in known]), waiting, numbers)
    return {**random_values(config.parameters, source), **space.values(chosen.tolist())}


def _chosen(space: _Space, points: Array, values: Array, waiting: Sequence[Sequence[float]], numbers: Any) -> Array:
    """Of many points the one that promises most."""
    import numpy as np

    model = _Model(points, values)
    model.add(np.array(waiting).reshape(len(waiting), space.width))
    margin = _MARGINS[len(model.points) % len(_MARGINS)]
    best = model.points[np.argsort(model.targets)[:3]]
    candidates = space.snap(np.vstack([numbers.random((_CANDIDATES, space.width)), _around(best, numbers)]))
    chosen = candidates[int(np.argmax(model.improvement(candidates, margin)))]
    # A last look around what was found, closer than even draws come.
    close = space.snap(np.vstack([chosen[None], _around(chosen[None], numbers)]))
    return cast("Array", close[int(np.argmax(model.improvement(close, margin)))])


def _known(config: Checked, trials: Sequence[Trial]) -> List[Tuple[Trial, float]]:
    """(trial, loss) of the trials that have ended; one that failed without a loss gets what `impute` says."""
    assert config.metric is not None
    found = losses(config, trials)
    ended = [(trial, loss) for trial, loss in zip(trials, found) if trial.ended]
    values = [loss for _, loss in ended if loss is not None]
    if not values:
        return []
    instead = {"worst": max(values), "best": min(values), "latest": None}[config.metric["impute"]]
    known: List[Tuple[Trial, float]] = []
    for trial, loss in ended:
        value = instead if loss is None else loss
        if value is not None:
            known.append((trial, value))
    if len(known) > _TRIALS_MAX:
        half = _TRIALS_MAX // 2
        best = sorted(range(len(known)), key=lambda number: known[number][1])[:half]
        kept = sorted({*best, *range(len(known) - half, len(known))})
        known = [known[number] for number in kept]
    return known


class _Space:
    """The unit cube of the parameters: an axis for each number, one for each choice of the others."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = list(parameters)
        self._widths = [len(parameter.spec["values"]) if "values" in parameter.spec else 1 for parameter in parameters]
        self.axes = len(self._parameters)
        self.width = sum(self._widths)

    def point(self, values: Values) -> List[float]:
        row: List[float] = []
        for parameter, _width in zip(self._parameters, self._widths):
            value = values.get(parameter.path)
            if "values" in parameter.spec:
                row += [float(value == choice) for choice in parameter.spec["values"]]
            else:
                row.append(place_of(parameter, value))
        return row

    def values(self, point: Sequence[float]) -> Dict[Path, Any]:
        found: Dict[Path, Any] = {}
        at = 0
        for parameter, width in zip(self._parameters, self._widths):
            part = list(point[at : at + width])
            at += width
            if "values" in parameter.spec:
                found[parameter.path] = parameter.spec["values"][part.index(max(part))]
            else:
                found[parameter.path] = value_at(parameter, float(part[0]))
        return found

    def snap(self, points: Array) -> Array:
        """Where the values of these points really are: choices all or nothing, whole numbers in their middle."""
        import numpy as np

        at = 0
        for parameter, width in zip(self._parameters, self._widths):
            part = points[:, at : at + width]
            if "values" in parameter.spec:
                part[:] = np.eye(width)[part.argmax(axis=1)]
            elif parameter.kind == "int_uniform":
                count = parameter.spec["max"] - parameter.spec["min"] + 1
                part[:] = (np.minimum(np.floor(part * count), count - 1) + 0.5) / count
            at += width
        return points

    def cover(self, sweep_id: str, number: int) -> List[float]:
        """The point of this number of an even cover of the cube, another one for each sweep."""
        from scipy.stats import qmc

        seed = random.Random(sweep_id).getrandbits(32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the number of points is no power of two
            points = qmc.Sobol(self.width, seed=seed).random(number + 1)
        return [float(place) for place in points[number]]


def _around(centres: Array, numbers: Any) -> Array:
    """Points near these, at several scales; in each only some coordinates move."""
    import numpy as np

    count = _NEIGHBOURS
    start = centres[numbers.integers(len(centres), size=count)]
    scale = np.array(_NEIGHBOUR_SCALES)[numbers.integers(len(_NEIGHBOUR_SCALES), size=count)]
    moves = numbers.random(start.shape) < max(0.5, 1 / start.shape[1])
    moved = start + moves * scale[:, None] * numbers.standard_normal(start.shape)
    return cast("Array", np.clip(moved, 0.0, 1.0))


class _Model:
    """A Gaussian process that has been fitted to points and their losses."""

    def __init__(self, points: Array, values: Array) -> None:
        import numpy as np
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self.targets = _near_normal(values)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(
            np.full(points.shape[1], 0.5), (0.05, 20.0), nu=2.5
        ) + WhiteKernel(1e-3, (1e-6, 0.3))
        self._process = GaussianProcessRegressor(kernel, optimizer=_fit, normalize_y=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a length lies at its bound: an axis that says nothing does that
            self._process.fit(points, self.targets)
        self.points = points

    def add(self, points: Array) -> None:
        """Take these for trials that come out as expected."""
        import numpy as np

        if not len(points):
            return
        self.targets = np.concatenate([self.targets, self._process.predict(points)])
        self.points = np.vstack([self.points, points])
        self._process.set_params(kernel=self._process.kernel_, optimizer=None)
        self._process.fit(self.points, self.targets)

    def improvement(self, points: Array, margin: float) -> Array:
        """The logarithm of how much lower than the lowest, less a margin, each is expected to come."""
        import numpy as np

        mean, deviation = self._process.predict(points, return_std=True)
        # What the noise may bring is no improvement: with it, the best place would look worth trying again and again.
        deviation = np.sqrt(np.maximum(deviation**2 - self._process.kernel_.k2.noise_level, 1e-12))
        lowest = float(self._process.predict(self.points).min())
        return cast("Array", np.log(deviation) + _log_gain((lowest - margin - mean) / deviation))


def _log_gain(z: Array) -> Array:
    """The logarithm of what a normal distribution with a mean of z and a deviation of 1 has above 0, on average."""
    import numpy as np
    from scipy.special import ndtr

    # Far down the difference of two tails is lost in rounding; there the tail's expansion is as good.
    near, far = np.maximum(z, -6.0), np.minimum(z, -6.0)
    exact = np.log(near * ndtr(near) + np.exp(-near * near / 2) / math.sqrt(2 * math.pi))
    tail = -far * far / 2 - np.log(far * far + 3) - math.log(2 * math.pi) / 2
    return cast("Array", np.where(z < -6.0, tail, exact))


def _fit(objective: Any, start: Array, bounds: Array) -> Any:
    from scipy.optimize import minimize

    found = minimize(
        objective, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": _FIT_ITERATIONS_MAX}
    )
    return found.x, found.fun


def _near_normal(values: Array) -> Array:
    """Losses with a mean of 0 and a deviation of 1, their skew taken out."""
    import numpy as np
    from sklearn.preprocessing import power_transform

    spread = float(values.std())
    if not spread:
        return np.zeros(len(values))
    scaled = (values - values.mean()) / spread
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it overflows, what comes out is not finite, and not taken
        bent = power_transform(scaled[:, None], method="yeo-johnson")[:, 0]
    return cast("Array", bent) if np.isfinite(bent).all() and bent.std() > 0.1 else scaled
