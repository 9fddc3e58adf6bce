"""A region stays as long as it serves, and not longer."""

import pytest

from pipeline.inference.steady import SteadyConfig, steady_region
from pipeline.shards.crop import Region, region
from pipeline.shards.sample import Bbox

SIZE = (101, 76)
"""A hundred steps high, 75 wide."""
CONFIG = SteadyConfig(margin=1.05, zoom=1.25, shift=0.5)
BBOX = (100.0, 100.0, 160.0, 180.0)
"""60 x 80: its region, which has its aspect, is 75 x 100 about (130, 140)."""


def moved(bbox: Bbox, *, x: float = 0.0, y: float = 0.0, grown: float = 1.0) -> Bbox:
    (x1, y1, x2, y2), half = bbox, grown / 2
    center, sides = ((x1 + x2) / 2 + x, (y1 + y2) / 2 + y), (x2 - x1, y2 - y1)
    return (
        center[0] - half * sides[0], center[1] - half * sides[1],
        center[0] + half * sides[0], center[1] + half * sides[1],
    )  # fmt: skip


def held(bbox: Bbox, *, kept: Bbox = BBOX, config: SteadyConfig = CONFIG) -> bool:
    before = region(kept, size=SIZE)
    found = steady_region(before, bbox, size=SIZE, config=config)
    assert found in (before, region(bbox, size=SIZE))
    return found == before


def test_a_new_person_has_the_region_of_their_own_bbox() -> None:
    found = steady_region(None, BBOX, size=SIZE, config=CONFIG)

    assert found == Region(center=(130.0, 140.0), spacing=1.0)


@pytest.mark.parametrize(("x", "y"), [(5.9, 0.0), (-5.9, 0.0), (0.0, 7.9), (5.9, -7.9)])
def test_a_region_stays_while_the_grown_bbox_lies_in_it(x: float, y: float) -> None:
    assert held(moved(BBOX, x=x, y=y))  # 37.5 - 1.05 * 30 = 6, and 50 - 1.05 * 40 = 8


@pytest.mark.parametrize(("x", "y"), [(6.1, 0.0), (-6.1, 0.0), (0.0, 8.1), (0.0, -8.1)])
def test_a_region_is_given_up_when_the_grown_bbox_leaves_it(x: float, y: float) -> None:
    assert not held(moved(BBOX, x=x, y=y))


def test_a_region_stays_until_its_person_is_too_large_or_too_small_for_it() -> None:
    assert held(moved(BBOX, grown=1.18))
    assert not held(moved(BBOX, grown=1.2))  # 1.05 * 1.2 > 1.25
    assert held(moved(BBOX, grown=0.81))
    assert not held(moved(BBOX, grown=0.79))  # 1 / 1.25 = 0.8


def test_the_room_that_a_narrow_person_leaves_at_the_sides_counts() -> None:
    narrow = (120.0, 100.0, 140.0, 180.0)

    assert held((105.0, 100.0, 155.0, 180.0), kept=narrow)  # arms that are spread stay within the region's aspect


def test_at_the_largest_margin_every_movement_makes_a_new_region() -> None:
    strict = SteadyConfig(margin=1.25, zoom=1.0, shift=0.5)

    assert held(BBOX, config=strict)
    assert not held(moved(BBOX, x=0.5), config=strict)
    assert not held(moved(BBOX, grown=0.99), config=strict)


def test_a_region_of_its_own_always_serves() -> None:
    for bbox in (BBOX, (0.0, 0.0, 10.0, 90.0), (3.0, 4.0, 200.0, 9.0)):
        assert held(bbox, kept=bbox)


def test_a_region_is_given_up_when_somebody_narrow_leaves_its_middle() -> None:
    narrow, central = (120.0, 100.0, 140.0, 180.0), SteadyConfig(margin=1.05, zoom=1.25, shift=0.1)

    assert held(moved(narrow, x=7.4), kept=narrow, config=central)
    assert not held(moved(narrow, x=7.6), kept=narrow, config=central)  # a tenth of 75
    assert held(moved(narrow, x=7.6), kept=narrow)


@pytest.mark.parametrize(
    ("margin", "zoom", "shift"), [(0.9, 1.2, 0.1), (1.3, 1.2, 0.1), (1.1, 0.9, 0.1), (1.0, 1.0, -0.1)]
)
def test_rules_that_would_keep_nothing_or_cut_people_are_refused(margin: float, zoom: float, shift: float) -> None:
    with pytest.raises(ValueError, match="got"):
        SteadyConfig(margin=margin, zoom=zoom, shift=shift)
