"""What holds of reading whatever the numbers: who reads, from where on, and where a keypoint is in a drawn view."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsn.skeleton import POSETRACK
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.crop import inverse, region, transform, upright
from pipeline.shards.manifest import Manifest, read_manifest
from pipeline.shards.order import evaluation_places, steps_per_epoch, training_places
from pipeline.shards.records import records_of
from pipeline.shards.sample import ClipSample
from pipeline.shards.source import Source
from pipeline.shards.view import Decode, draw, evaluation_views, training_views

SIZE = (32, 24)
STORED = (48, 36)
FIXED = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
VARIED = {
    "flip": 0.5, "rotation": 40.0, "rotation_probability": 0.7, "scale": 0.3, "shift": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def train(packed: Path) -> Manifest:
    return read_manifest(packed / "train")


@FIXED
@given(
    seed=st.integers(0, 9), epoch=st.integers(0, 9), world=st.integers(1, 3), batch=st.integers(1, 5), data=st.data()
)
def test_a_run_resumed_at_any_step_sees_the_very_next_samples(
    seed: int, epoch: int, world: int, batch: int, data: st.DataObject, train: Manifest
) -> None:
    steps = steps_per_epoch(train, batch_size=batch, world=world)
    step = data.draw(st.integers(0, steps))

    for rank in range(world):
        whole, again = (
            training_places(train, shuffle=8, batch_size=batch, seed=seed, epoch=epoch, rank=rank, world=world).tolist()
            for _ in range(2)
        )
        assert len(whole) == steps * batch
        assert whole[: step * batch] + again[step * batch :] == whole


@FIXED
@given(world=st.integers(1, 4), processes=st.integers(1, 4), batch=st.integers(1, 6))
def test_any_ranks_and_processes_evaluate_every_sample_once(
    world: int, processes: int, batch: int, train: Manifest, packed: Path
) -> None:
    seen = []
    for rank in range(world):
        source = Source(
            records=records_of(train, packed / "train"),
            places=evaluation_places(train, rank=rank, world=world),
            batch_size=batch,
            input_size=SIZE,
            times=(2,),
            plan=evaluation_views(train, bbox="keyframe", input_size=SIZE),
            spares=None,
        )
        parts = [source.read(start=process, step=processes) for process in range(processes)]
        turn = 0
        while (made := next(parts[turn % processes], None)) is not None:
            seen += [clip.sample.key for clip in made.clips]
            turn += 1

    assert len(seen) == len(set(seen)) == train.samples
    first = [shard.first_key for shard in train.shards]
    assert [key for key in seen if key in first] == first


@FIXED
@example(epoch=0, joint=5)
@given(epoch=st.integers(0, 10_000), joint=st.sampled_from(POSETRACK.scored))
def test_a_dot_on_a_joint_is_on_that_joint_in_every_frame_of_any_view(
    epoch: int,
    joint: int,
    train: Manifest,
    make_sample: Callable[..., ClipSample],
    make_augment: Callable[..., AugmentConfig],
) -> None:
    where = upright(region((100.0, 200.0, 140.0, 260.0), size=SIZE), size=STORED)
    affine = tuple((float(a), float(b), float(c)) for a, b, c in where)
    sample = make_sample(to_source=affine)
    plan = training_views(train, make_augment(**VARIED), seed=0, epoch=epoch, input_size=SIZE, times=range(5))
    planned = plan(sample)
    assert planned is not None
    frames = np.zeros((5, *SIZE, 3), dtype=np.uint8)

    draw(planned, frames, times=range(5), decode=dotted(sample, joint))

    channels = POSETRACK.joints.index(mirror(POSETRACK.joints[joint])), joint
    is_flipped = np.linalg.det(planned.clip.to_source[:, :2]) < 0
    x, y = planned.clip.keypoints[channels[0] if is_flipped else joint]
    if 2 <= x <= SIZE[1] - 3 and 2 <= y <= SIZE[0] - 3:
        for frame in frames:
            assert centre(frame) == pytest.approx((x, y), abs=0.1)


def mirror(joint: str) -> str:
    """The joint on the other side."""
    sides = {"left": "right", "right": "left"}
    side, _, rest = joint.partition("_")
    return f"{sides[side]}_{rest}" if side in sides else joint


def dotted(sample: ClipSample, joint: int) -> Decode:
    """Stored crops that are black but for a soft dot on a joint."""
    x, y = transform(np.array(sample.keypoints)[joint, :2], inverse(sample.affine))
    rows, columns = np.mgrid[: STORED[0], : STORED[1]]
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    image = cv2.cvtColor(np.rint(dot).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return lambda _: np.asarray(image, dtype=np.uint8)


def centre(frame: NDArray[np.uint8]) -> tuple[float, float]:
    """The peak of the Gaussian dot, also of one that the frame's border cuts: its logarithm is a quadratic."""
    y, x = np.nonzero(frame[:, :, 0] > 25)
    light = frame[y, x, 0].astype(float)
    terms = np.column_stack([np.ones(len(x)), x, y, x * x / 2, x * y, y * y / 2])
    _, a, b, aa, ab, bb = np.linalg.lstsq(terms * light[:, None], np.log(light) * light, rcond=None)[0]
    peak = np.linalg.solve([[aa, ab], [ab, bb]], [-a, -b])
    return float(peak[0]), float(peak[1])
