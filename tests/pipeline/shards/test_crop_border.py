from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.shards.augment import AugmentConfig, draw_view
from pipeline.shards.border import Views, border_of
from pipeline.shards.crop import compose, inverse, region, transform, upright
from pipeline.shards.sample import ClipSample

SIZE = (64, 48)
MOVES = {
    "little": {"rotation": 10.0, "rotation_probability": 0.2, "scale": 0.1, "shift": 0.05},
    "much": {"rotation": 45.0, "rotation_probability": 0.6, "scale": 0.35, "shift": 0.1},
    "round": {"rotation": 180.0, "rotation_probability": 1.0, "scale": 0.0, "shift": 0.0},
}


def views_of(**changes: float) -> Views:
    return Views(**(dict.fromkeys([field.name for field in fields(Views)], 0.0) | changes))


@pytest.mark.parametrize(
    ("change", "border"),
    [
        ({}, 0),
        ({"rotation": 45.0}, 0),
        ({"shift": 0.25}, 10),
        ({"scale": 0.5}, 10),
        ({"scale": 0.5, "shift": 0.25}, 20),
        ({"rotation": 90.0, "rotation_probability": 0.1}, 15),
    ],
)
def test_the_border_that_holds_every_view_is_how_far_the_farthest_corner_reaches(
    change: dict[str, float], border: int
) -> None:
    assert border_of(views_of(**change), size=(41, 41) if "rotation" not in change else (31, 1), coverage=1.0) == border


@pytest.mark.parametrize("coverage", [0.9, 0.99, 1.0])
@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_drawn_views_find_the_promised_share_of_their_pixels_stored(
    moves: dict[str, float],
    coverage: float,
    make_sample: Callable[..., ClipSample],
    make_augment: Callable[..., AugmentConfig],
) -> None:
    border = border_of(Views(**moves), size=SIZE, coverage=coverage)
    sample, rng = make_sample(), np.random.default_rng(0)
    stored = (SIZE[0] + 2 * border, SIZE[1] + 2 * border)
    to_stored = inverse(upright(region(sample.bbox, size=SIZE), size=stored))
    pixels = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), axis=-1).reshape(-1, 2).astype(float)

    shares = []
    for _ in range(300):
        view = draw_view(sample, make_augment(**moves, flip=0.5), rng, skeleton=POSETRACK, input_size=SIZE)
        places = transform(pixels, compose(to_stored, view.to_source))
        is_stored = (places > -1e-6) & (places < np.array(stored[::-1]) - 1 + 1e-6)
        shares.append(is_stored.all(axis=1).mean())

    assert coverage - 0.001 <= np.mean(shares) <= coverage + 0.7 * (1 - coverage)


def test_every_pixel_of_a_half_body_view_is_stored_though_the_half_reaches_out_of_the_bbox(
    make_sample: Callable[..., ClipSample], make_augment: Callable[..., AugmentConfig]
) -> None:
    far = tuple(
        (x + 60, y, v) if joint % 2 else (x, y - 40, v) for joint, (x, y, v) in enumerate(make_sample().keypoints)
    )
    sample, rng = make_sample(keypoints=far), np.random.default_rng(0)
    augment = make_augment(half_body=1.0, **MOVES["much"])
    border = border_of(Views(**MOVES["much"]), size=SIZE, coverage=1.0)
    stored = (SIZE[0] + 2 * border, SIZE[1] + 2 * border)
    to_stored = inverse(upright(region(sample.bbox, size=SIZE), size=stored))
    corners = np.array([[0, 0], [SIZE[1] - 1, 0], [0, SIZE[0] - 1], [SIZE[1] - 1, SIZE[0] - 1]], dtype=float)

    for _ in range(200):
        view = draw_view(sample, augment, rng, skeleton=POSETRACK, input_size=SIZE)
        places = transform(corners, compose(to_stored, view.to_source))
        assert ((places > -1e-6) & (places < np.array(stored[::-1]) - 1 + 1e-6)).all()


def test_a_wider_border_is_stored_for_a_greater_share() -> None:
    borders = [border_of(Views(**MOVES["much"]), size=SIZE, coverage=coverage) for coverage in (0.9, 0.99, 0.999, 1.0)]

    assert borders == sorted(set(borders))
