"""Numbers on their way into JSON, which has no NaN."""

import math


def or_none(value: float) -> float | None:
    """The number, or None for NaN."""
    return None if math.isnan(value) else float(value)
