"""The steps that programs name: whole numbers, which a log's 64 bits hold."""

from __future__ import annotations

from typing import Any

from ..errors import DataError

# The step behind it has to fit too.
_STEP_MAX = (1 << 63) - 2


def whole_step(step: Any) -> int:
    """A step as an int, whatever says the same as one. Raises DataError for what doesn't, or is too small or large."""
    if type(step) is int:
        number = step
    else:
        try:
            number = int(step)
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"step must be a whole number, not {step!r}") from None
        if number != step and not isinstance(step, str):
            raise DataError(
                f"step must be a whole number, not {step}. Log the fraction as a metric, and draw the others over it: "
                f"run.define_metric('*', step_metric='epoch'), and then run.log({{'epoch': {step}, ...}})"
            )
    if not 0 <= number <= _STEP_MAX:
        raise DataError(f"step must be 0 or more, and at most {_STEP_MAX:,}, not {number}")
    return number
