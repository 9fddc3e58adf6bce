"""JSON with one thing wrong in it, anywhere."""

import copy
import math
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZ = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""How often something is spoiled, the same things in every run."""

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, -1, 0, 10**30, 1e300, math.nan, "", "x", True, [], [[]], {}, [None], {"a": 1}, [1, 2]]
)


def spoiled(data: st.DataObject, value: Any) -> Any:
    """A copy in which something was deleted or replaced."""
    result = copy.deepcopy(value)
    *parents, last = data.draw(st.sampled_from(_places(result)))
    holder = result
    for key in parents:
        holder = holder[key]
    if data.draw(st.booleans()) and parents:
        del holder[last]
    else:
        holder[last] = data.draw(JUNK)
    return result


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        return []
    return [(*at, key) for key, _ in children] + [
        place for key, child in children for place in _places(child, (*at, key))
    ]
