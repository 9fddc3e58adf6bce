import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.shards.crop import warp
from pipeline.shards.window import Window, cut, exact_window, nearest_window, snapped

SIZE, IMAGE = (64, 48), (90, 70)
CORNERS = np.array([[-0.5, 47.5, -0.5, 47.5], [-0.5, -0.5, 63.5, 63.5], [1.0, 1.0, 1.0, 1.0]])


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    """Smooth noise, in which a shift by a fraction of a pixel shows."""
    noise = np.random.default_rng(0).integers(0, 256, (*IMAGE, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), dtype=np.uint8)


def upright(scale: float, *, left: float, top: float, is_mirrored: bool) -> NDArray[np.float64]:
    """From the crop's pixels to the image's; the crop's sides are at `left` and `top`, counted from the image's."""
    x, y = left + (scale - 1) / 2, top + (scale - 1) / 2
    return np.array([[-scale if is_mirrored else scale, 0, x + 47 * scale * is_mirrored], [0, scale, y]])


views = st.builds(upright, st.floats(0.3, 1.35), left=st.floats(0, 5), top=st.floats(0, 3), is_mirrored=st.booleans())


@settings(deadline=None)
@given(view=views)
def test_a_snapped_crop_lies_at_most_half_a_pixel_beside(view: NDArray[np.float64]) -> None:
    moved = (snapped(view, size=SIZE, image=IMAGE)[0] - view) @ CORNERS

    assert np.abs(moved).max() <= 0.5 + 1e-9


@settings(deadline=None)
@given(view=views)
def test_a_window_shows_what_a_warp_shows(view: NDArray[np.float64], image: NDArray[np.uint8]) -> None:
    near, window = snapped(view, size=SIZE, image=IMAGE)
    assert window is not None
    drawn = np.zeros((*SIZE, 3), dtype=np.uint8)

    cut(drawn, image, affine=near, window=window)

    assert exact_window(near, size=SIZE, image=IMAGE) == window
    difference = np.abs(drawn.astype(int) - warp(image, near, size=SIZE))
    edge = int(np.ceil(0.5 / near[1, 1]))  # half a pixel of the image, where a window does not look at its neighbours
    assert difference[edge:-edge, edge:-edge].max() <= 1


def test_whole_pixels_are_copied(image: NDArray[np.uint8]) -> None:
    drawn = np.zeros((*SIZE, 3), dtype=np.uint8)
    for is_mirrored in (False, True):
        view = upright(1.0, left=7, top=11, is_mirrored=is_mirrored)

        window = exact_window(view, size=SIZE, image=IMAGE)
        cut(drawn, image, affine=view, window=window)

        assert window == Window(left=7, top=11, right=55, bottom=75, is_mirrored=is_mirrored)
        part = image[11:75, 7:55]
        assert np.array_equal(drawn, part[:, ::-1] if is_mirrored else part)
        assert np.array_equal(warp(image, view, size=SIZE), drawn)


@pytest.mark.parametrize(
    "view",
    [
        upright(1.0, left=-1, top=0, is_mirrored=False),
        upright(1.0, left=0, top=27, is_mirrored=True),
        upright(1.5, left=0, top=0, is_mirrored=False),
        np.array([[1.0, 0.01, 5.0], [-0.01, 1.0, 5.0]]),
        np.array([[1.0, 0.0, 5.0], [0.0, -1.0, 70.0]]),
    ],
    ids=["left of the image", "below it", "larger than it", "turned", "upside down"],
)
def test_crops_that_reach_out_or_are_turned_are_warped_as_they_are(
    view: NDArray[np.float64], image: NDArray[np.uint8]
) -> None:
    assert nearest_window(view, size=SIZE, image=IMAGE) is None
    assert snapped(view, size=SIZE, image=IMAGE) == (view, None)
    drawn = np.zeros((*SIZE, 3), dtype=np.uint8)

    cut(drawn, image, affine=view, window=exact_window(view, size=SIZE, image=IMAGE))

    assert np.array_equal(drawn, warp(image, view, size=SIZE))


def test_a_crop_between_pixels_is_no_window() -> None:
    view = upright(1.0, left=7.25, top=11, is_mirrored=False)

    assert exact_window(view, size=SIZE, image=IMAGE) is None
    assert nearest_window(view, size=SIZE, image=IMAGE) == Window(
        left=7, top=11, right=55, bottom=75, is_mirrored=False
    )
