import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.crop import (
    Region,
    compose,
    confined,
    inverse,
    region,
    scale_of,
    shrinking_warp,
    transform,
    turned,
    upright,
    warp,
    widened,
)

SIZE = (128, 96)
numbers = st.floats(-3000, 3000)
lengths = st.floats(2, 2000)


def test_the_corner_pixels_lie_on_the_regions_corners() -> None:
    where = region((100.0, 200.0, 195.0, 327.0), size=SIZE, padding=1.0)

    corners = transform(np.array([[0.0, 0.0], [95.0, 127.0]]), upright(where, size=SIZE))

    assert where.spacing == 1
    assert corners == pytest.approx(np.array([[100, 200], [195, 327]]))


def test_a_region_holds_the_padded_bbox_in_the_crops_aspect() -> None:
    wide = region((0.0, 0.0, 190.0, 10.0), size=SIZE)
    high = region((0.0, 0.0, 10.0, 254.0), size=SIZE)

    assert wide.spacing == pytest.approx(1.25 * 190 / 95)
    assert high.spacing == pytest.approx(1.25 * 254 / 127)
    assert wide.center == (95, 5)


@given(x=numbers, y=numbers, width=lengths, height=lengths, degrees=st.floats(-180, 180), is_flipped=st.booleans())
def test_a_point_comes_back_from_the_crop_within_a_hundredth_of_a_pixel(
    *, x: float, y: float, width: float, height: float, degrees: float, is_flipped: bool
) -> None:
    where = region((x, y, x + width, y + height), size=SIZE)
    to_source = turned(where, size=SIZE, degrees=degrees, is_flipped=is_flipped).astype(np.float32).astype(np.float64)
    points = np.array([[x, y], [x + width, y + height], [x + width / 3, y]])

    there = transform(points, inverse(to_source))
    back = transform(there.astype(np.float32).astype(np.float64), to_source)

    assert np.abs(back - points).max() < 0.01


@given(center=st.tuples(numbers, numbers), spacing=st.floats(0.05, 20), degrees=st.floats(-180, 180))
def test_stored_crop_input_and_source_agree(center: tuple[float, float], spacing: float, degrees: float) -> None:
    stored = upright(Region(center=center, spacing=spacing), size=(192, 144))
    to_source = turned(Region(center=center, spacing=spacing * 1.2), size=SIZE, degrees=degrees, is_flipped=True)
    pixel = np.array([[10.0, 20.0]])

    by_way_of_stored = transform(transform(pixel, compose(inverse(stored), to_source)), stored)

    assert np.abs(by_way_of_stored - transform(pixel, to_source)).max() < 0.01


def test_a_mirrored_crop_swaps_its_first_and_last_column() -> None:
    where = Region(center=(50.0, 60.0), spacing=2.0)
    plain, mirrored = (turned(where, size=SIZE, degrees=0.0, is_flipped=flag) for flag in (False, True))

    assert transform(np.array([[0.0, 5.0]]), mirrored) == pytest.approx(transform(np.array([[95.0, 5.0]]), plain))


def test_a_quarter_turn_looks_right_where_the_upright_crop_looks_up() -> None:
    turned_crop = turned(Region(center=(0.0, 0.0), spacing=1.0), size=(5, 5), degrees=90.0, is_flipped=False)

    assert transform(np.array([[2.0, 0.0]]), turned_crop) == pytest.approx(np.array([[2.0, 0.0]]))


def test_an_affine_says_by_how_much_it_enlarges() -> None:
    assert scale_of(
        turned(Region(center=(3.0, 4.0), spacing=2.5), size=SIZE, degrees=33.0, is_flipped=True)
    ) == pytest.approx(2.5)


def test_a_crop_in_step_with_the_image_copies_its_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)

    crop = warp(image, np.array([[1.0, 0, 7], [0, 1, 5]]), size=(10, 20))

    assert np.array_equal(crop, image[5:15, 7:27])


def test_outside_the_image_is_black() -> None:
    image = np.full((10, 10, 3), 255, dtype=np.uint8)

    crop = warp(image, np.array([[1.0, 0, -5], [0, 1, 0]]), size=(10, 10))

    assert (crop[:, :5] == 0).all()
    assert (crop[:, 5:] == 255).all()


def test_a_shrinking_crop_averages_instead_of_skipping() -> None:
    checkers = np.zeros((64, 64, 3), dtype=np.uint8)
    checkers[::2, ::2] = checkers[1::2, 1::2] = 200

    where = upright(Region(center=(31.5, 31.5), spacing=4.0), size=(12, 12))
    crop = shrinking_warp(checkers, where, size=(12, 12))

    assert (crop == 100).all()


def test_shrinking_leaves_a_ramp_where_it_was() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    where = upright(Region(center=(100.3, 50.2), spacing=4.7), size=(16, 24))

    crop = shrinking_warp(ramp, where, size=(16, 24))

    expected = transform(np.column_stack([np.arange(24.0), np.zeros(24)]), where)[:, 0]
    assert np.abs(crop[8, :, 0] - expected).max() <= 1.0


def test_shrinking_far_outside_the_image_is_black() -> None:
    image = np.full((30, 30, 3), 255, dtype=np.uint8)

    crop = shrinking_warp(image, upright(Region(center=(500.0, 500.0), spacing=4.0), size=(8, 8)), size=(8, 8))

    assert (crop == 0).all()


def test_a_confined_region_lies_within_the_other_and_stays_where_it_fits() -> None:
    outer = Region(center=(100.0, 100.0), spacing=2.0)
    inside, beside, larger = (
        Region(center=center, spacing=spacing)
        for center, spacing in (((110.0, 90.0), 1.0), ((0.0, 300.0), 1.0), ((0.0, 0.0), 3.0))
    )

    assert confined(inside, within=outer, size=SIZE) == inside
    assert confined(beside, within=outer, size=SIZE) == Region(center=(100 - 95 / 2, 100 + 127 / 2), spacing=1.0)
    assert confined(larger, within=outer, size=SIZE) == outer


def test_the_stored_region_grows_until_the_neighbours_crop_fits_in() -> None:
    own, near, far = (region((x, 0.0, x + 76, 101.6), size=SIZE) for x in (0.0, 10.0, 100.0))
    stored = (192, 144)

    assert widened(own, size=SIZE, stored=stored, other=None) == own
    assert widened(own, size=SIZE, stored=stored, other=near) == own
    wide = upright(widened(own, size=SIZE, stored=stored, other=far), size=stored)

    corners = transform(np.array([[0.0, 0.0], [95.0, 127.0]]), compose(inverse(wide), upright(far, size=SIZE)))
    assert corners[1, 0] == pytest.approx(143)
    assert corners.min() >= 0
