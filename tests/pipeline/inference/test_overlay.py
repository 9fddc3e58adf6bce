"""What the overlay shows, and where."""

import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.inference.footage import Frame
from pipeline.inference.overlay import painted
from pipeline.inference.people import Pose, Posed
from pipeline.shards.crop import Image
from pipeline.shards.sample import Bbox

SIZE = (90, 160)
GREY = 100


def shown(*poses: Pose, is_readable: bool = True) -> Image:
    image = np.full((*SIZE, 3), GREY, dtype=np.uint8)
    frame = Frame(position=0, seconds=0.0, image=image, is_readable=is_readable, arrived=0.0)
    return painted(Posed(frame=frame, poses=poses), POSETRACK)


def pose(bbox: Bbox, *, track_id: int = 0, score: float = 0.0) -> Pose:
    """Somebody whose joints are all in the middle of the frame."""
    count = len(POSETRACK.joints)
    return Pose(
        track_id=track_id,
        bbox=bbox,
        score=1.0,
        keypoints=np.full((count, 2), (80.0, 45.0)),
        scores=np.full(count, score),
    )


def changed(image: Image) -> set[tuple[int, int]]:
    """Pixels (x, y) that are not the ground's."""
    rows, columns = np.nonzero((image != GREY).any(axis=2))
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def test_a_frame_with_nobody_stays_as_it_is() -> None:
    assert not changed(shown())


def test_a_frame_that_cannot_be_decoded_says_so_in_its_corner() -> None:
    places = changed(shown(is_readable=False))

    assert (8, 8) in places
    assert max(y for _, y in places) < SIZE[0] // 3


@pytest.mark.parametrize("bbox", [(-40.0, -30.0, 30.0, 40.0), (150.0, 85.0, 400.0, 300.0)])
def test_the_number_of_somebody_who_is_partly_outside_stays_in_the_frame(bbox: Bbox) -> None:
    seven, eight = (shown(pose(bbox, track_id=number)) for number in (7, 8))

    tag = shown(pose(bbox, track_id=7))[1 if bbox[1] < 0 else -3, 1 if bbox[0] < 0 else -3]
    assert tag.max() == 255  # the track's bright colour
    assert (seven != eight).any()


def test_the_same_number_has_one_colour_and_others_have_others() -> None:
    corners = [tuple(shown(pose((20.0, 20.0, 60.0, 80.0), track_id=number))[80, 40]) for number in (3, 3, 4, 5)]

    assert corners[0] == corners[1]
    assert len(set(corners)) == 3


def test_joints_are_drawn_that_the_network_is_sure_of() -> None:
    bbox = (0.0, 0.0, 20.0, 20.0)

    assert (80, 45) in changed(shown(pose(bbox, score=0.9)))
    assert (80, 45) not in changed(shown(pose(bbox, score=0.05)))
