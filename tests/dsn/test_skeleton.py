import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK, Skeleton, from_dict, to_dict


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Of any skeleton of 1 to 20 joints, some of which pair off."""
    names = draw(st.lists(st.text("abc_", min_size=1), min_size=1, max_size=20, unique=True))
    joints = range(len(names))
    some = st.lists(st.sampled_from(joints), unique=True).map(tuple)
    order = draw(st.permutations(joints))
    pairs = draw(st.integers(0, len(names) // 2))
    return {
        "name": draw(st.text(max_size=5)),
        "joints": tuple(names),
        "flip_pairs": tuple((order[2 * n], order[2 * n + 1]) for n in range(pairs)),
        "limbs": tuple(draw(st.lists(st.tuples(st.sampled_from(joints), st.sampled_from(joints)), max_size=5))),
        "sigmas": tuple(draw(st.lists(st.floats(0.01, 1), min_size=len(names), max_size=len(names)))),
        "scored": tuple(draw(st.lists(st.sampled_from(joints), min_size=1, unique=True))),
        "upper_body": draw(some),
        "lower_body": draw(some),
        "groups": tuple(draw(st.lists(st.tuples(st.text(max_size=3), some), max_size=3))),
    }


@given(values())
def test_a_skeleton_comes_back_from_json(values: dict[str, Any]) -> None:
    skeleton = Skeleton(**values)

    assert from_dict(json.loads(json.dumps(to_dict(skeleton)))) == skeleton


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": ("nose",) * 17}, "joints: got a name twice"),
        ({"sigmas": (0.1,)}, "sigmas: got"),
        ({"sigmas": (0.1,) * 16 + (0.0,)}, "wanted a positive number for each of 17 joints"),
        ({"scored": ()}, "scored: got"),
        ({"scored": (0, 0)}, "scored: got"),
        ({"limbs": ((0, 17),)}, r"got joint indices \[17\], wanted 0 to 16"),
        ({"groups": (("Head", (-1,)),)}, r"got joint indices \[-1\]"),
        ({"flip_pairs": ((3, 4), (4, 5))}, "wanted every joint in one pair at most"),
        ({"flip_pairs": ((3, 3),)}, "wanted every joint in one pair at most"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(POSETRACK, **change)
