import numpy as np
import pytest

from pipeline.drawn import render
from pipeline.drawn.outline import Part, Shape, fixed


def square(x: float, size: float, *, depth: float, colour: tuple[int, int, int]) -> render.Layer:
    corners = np.array([[[x, 10.0], [x + size, 10.0], [x + size, 10.0 + size], [x, 10.0 + size]]])
    part = Part(np.array([depth]), [Shape(fixed(corners), colour)])
    return render.layer([part], np.array([depth]))


def test_what_is_nearer_covers_what_is_farther_whatever_the_order() -> None:
    far, near = square(10, 20, depth=5.0, colour=(0, 0, 200)), square(20, 20, depth=3.0, colour=(0, 200, 0))
    canvas = np.zeros((60, 60, 3), np.uint8)

    render.paint(canvas, [near, far], 0)
    ranks, own = render.paint_ranks((60, 60), [near, far], 0)

    assert canvas[20, 25].tolist() == [0, 200, 0]
    assert canvas[20, 15].tolist() == [0, 0, 200]
    assert own == [2, 1]
    assert (ranks[20, 25], ranks[20, 15], ranks[50, 50]) == (2, 1, 0)


def test_a_shape_that_is_not_shown_is_not_painted() -> None:
    corners = fixed(np.array([[[5.0, 5.0], [25.0, 5.0], [25.0, 25.0], [5.0, 25.0]]]))
    hidden = Part(np.ones(1), [Shape(corners, (255, 255, 255), np.array([False]))])
    canvas = np.zeros((30, 30, 3), np.uint8)

    render.paint(canvas, [render.layer([hidden], np.ones(1))], 0)

    assert not canvas.any()


def test_subframes_average_into_motion_blur() -> None:
    positions = (10, 20, 30, 40)
    canvases = []
    for x in positions:
        canvas = np.zeros((40, 70, 3), np.uint8)
        render.paint(canvas, [square(x, 8, depth=1.0, colour=(200, 200, 200))], 0)
        canvases.append(canvas)

    blurred = render.average(canvases)

    assert [int(blurred[14, x + 4, 0]) for x in positions] == [50, 50, 50, 50]
    assert blurred[14, 60, 0] == 0


def test_a_shadow_darkens_the_ground_under_it_only() -> None:
    light = render.shadow((160, 240), np.array([[120.0, 80.0]]), np.array([[60.0, 40.0]]), strength=0.4)

    assert light[80, 120, 0] == pytest.approx(255 * 0.6, abs=4)
    assert light[5, 5, 0] == 255
