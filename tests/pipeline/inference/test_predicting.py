from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float64

from dsn.checkpoint import Loaded
from dsn.codec import decode
from dsn.network import DSN
from dsn.pixels import normalize
from dsn.streaming import supporting_frames
from pipeline.inference.boxes import FileBoxes
from pipeline.inference.engine import TorchEngine
from pipeline.inference.footage import Frame
from pipeline.inference.people import Found, Posed
from pipeline.inference.predict import DOUBTFUL, Finder, from_detector, from_file, predict
from pipeline.inference.reading import Reader, crop
from pipeline.shards.crop import Image, region, transform, upright
from pipeline.shards.sample import Bbox
from tests.world.footage import Frames, drawn_frames

COUNT = 20
STANDING: Bbox = (10.0, 20.0, 50.0, 80.0)


def shots(images: Iterable[Image], *, unreadable: Sequence[int] = ()) -> list[Frame]:
    return [
        Frame(position=at, seconds=at / 25, image=image, is_readable=at not in unreadable, arrived=0.0)
        for at, image in enumerate(images)
    ]


def people(where: Callable[[int], dict[int, Bbox]]) -> Finder:
    """Who is where, by frame."""
    return lambda frame: [
        (track, Found(bbox=bbox, score=1.0, track_id=track)) for track, bbox in where(frame.position).items()
    ]


def run(
    loaded: Loaded, frames: Sequence[Frame], finder: Finder, *, batch: int = 32, wished_at: int | None = None
) -> tuple[list[Posed], Reader]:
    reader = Reader(TorchEngine(loaded, device="cpu"), loaded.config, batch=batch)
    seen = []

    def counted() -> Iterator[Frame]:
        for frame in frames:
            seen.append(frame.position)
            yield frame

    size = loaded.config.input_size
    posed = predict(
        counted(), finder, reader, size=size, batch=batch, is_wished=lambda: bool(seen) and seen[-1] == wished_at
    )
    return list(posed), reader


def clip_pose(loaded: Loaded, images: Frames, *, keyframe: int, bbox: Bbox) -> Float64[np.ndarray, "K 2"]:
    """What the whole network answers to a clip cut out by itself, in pixels of the frame."""
    size, where = loaded.config.input_size, region(bbox, size=loaded.config.input_size)
    offsets = loaded.config.clip.offsets
    frames = (keyframe, *supporting_frames(keyframe, offsets=offsets, first=0, last=len(images) - 1))
    pixels = torch.from_numpy(np.stack([crop(images[frame], where, size=size) for frame in frames]))
    clip = normalize(pixels.permute(0, 3, 1, 2))
    assert isinstance(loaded.network, DSN)
    with torch.inference_mode():
        maps = loaded.network(clip[:1], clip[None, 1:]).final
    points, _ = decode(maps, input_size=size, config=loaded.config.heatmap)
    return np.asarray(transform(points[0].double().numpy(), upright(where, size=size)))


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_poses_are_those_of_whole_clips_also_at_the_ends(network: Loaded, batch: int) -> None:
    images = drawn_frames(COUNT)
    second: Bbox = (60.0, 10.0, 100.0, 85.0)

    posed, _ = run(network, shots(images), people(lambda _: {0: STANDING, 7: second}), batch=batch)

    assert [one.frame.position for one in posed] == list(range(COUNT))
    for one in posed:
        for pose, bbox in zip(one.poses, (STANDING, second), strict=True):
            wanted = clip_pose(network, images, keyframe=one.frame.position, bbox=bbox)
            np.testing.assert_allclose(pose.keypoints, wanted, atol=0.05)


@pytest.mark.parametrize("batch", [1, 32])
def test_who_stands_goes_through_the_backbone_once_a_frame(network: Loaded, batch: int) -> None:
    _, reader = run(network, shots(drawn_frames(COUNT)), people(lambda _: {0: STANDING}), batch=batch)

    assert (reader.read_count, reader.encoded) == (COUNT, COUNT)


def test_nothing_is_kept_of_frames_that_are_over(network: Loaded) -> None:
    def at(_: int) -> dict[int, Bbox]:
        return {0: STANDING}

    sizes = []
    for count in (20, 80):
        _, reader = run(network, shots(drawn_frames(count)), people(at), batch=4)
        sizes.append(len(reader._tokens))

    assert sizes[1] == sizes[0]


def test_somebody_who_is_there_for_one_frame_has_a_pose_in_it(network: Loaded) -> None:
    images = drawn_frames(COUNT)

    posed, _ = run(network, shots(images), people(lambda frame: {0: STANDING} if frame == 9 else {}))

    assert [len(one.poses) for one in posed] == [int(frame == 9) for frame in range(COUNT)]
    wanted = clip_pose(network, images, keyframe=9, bbox=STANDING)
    np.testing.assert_allclose(posed[9].poses[0].keypoints, wanted, atol=0.05)


def test_a_video_of_one_frame_has_its_poses(network: Loaded) -> None:
    posed, reader = run(network, shots(drawn_frames(1)), people(lambda _: {0: STANDING}))

    assert (len(posed), len(posed[0].poses), reader.encoded) == (1, 1, 1)


def test_huge_bboxes_are_cut_at_the_frame_and_those_without_a_pixel_left_out(network: Loaded) -> None:
    found = {0: (-1e6, -1e6, 1e6, 1e6), 1: (5.0, 5.0, 6.5, 6.5), 2: (500.0, 5.0, 600.0, 50.0), 3: (-9.0, 0.0, 0.5, 9.0)}

    posed, _ = run(network, shots(drawn_frames(6)), people(lambda _: found))

    assert [(pose.track_id, pose.bbox) for pose in posed[3].poses] == [
        (0, (0.0, 0.0, 160.0, 90.0)),
        (1, (5.0, 5.0, 6.5, 6.5)),
    ]
    assert all(np.isfinite(pose.keypoints).all() for one in posed for pose in one.poses)


def test_nobody_is_read_in_an_unreadable_frame_and_the_others_stay(network: Loaded) -> None:
    posed, _ = run(network, shots(drawn_frames(9), unreadable=[4]), people(lambda _: {0: STANDING}))

    assert [len(one.poses) for one in posed] == [1, 1, 1, 1, 0, 1, 1, 1, 1]


WEAK = Found(bbox=STANDING, score=0.45, track_id=None)


def test_every_box_of_a_file_is_somebody_however_low_its_score() -> None:
    boxes = FileBoxes(by_position=dict.fromkeys(range(3), (WEAK,)), counts={"used": 3}, is_tracked=False)
    find = from_file(boxes)

    assert [find(frame) for frame in shots(drawn_frames(3))] == [[(0, WEAK)]] * 3


def test_a_detectors_weak_boxes_continue_tracks_alone_and_the_others_are_counted() -> None:
    strong, counts = replace(WEAK, score=0.9), dict[str, int]()
    seen = iter([[WEAK], [strong], [WEAK], [replace(WEAK, score=0.1)]])
    find = from_detector(lambda _: next(seen), min_score=0.3, counts=counts)

    assert [find(frame) for frame in shots(drawn_frames(4))] == [[], [(0, strong)], [(0, WEAK)], []]
    assert counts == {"used": 2, DOUBTFUL: 1}


def test_a_wish_to_stop_leaves_the_frames_until_then(network: Loaded) -> None:
    posed, _ = run(network, shots(drawn_frames(COUNT)), people(lambda _: {0: STANDING}), wished_at=11)

    assert [one.frame.position for one in posed] == list(range(12))


def test_one_by_one_a_pose_comes_as_soon_as_its_window_is_there(network: Loaded) -> None:
    reader = Reader(TorchEngine(network, device="cpu"), network.config, batch=1)
    given = []

    def frames() -> Iterator[Frame]:
        for frame in shots(drawn_frames(8)):
            given.append(frame.position)
            yield frame

    finder = people(lambda _: {0: STANDING})
    posed = predict(frames(), finder, reader, size=network.config.input_size, batch=1, is_wished=lambda: False)

    assert [(one.frame.position, given[-1]) for one in posed] == [
        (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 7), (7, 7),
    ]  # fmt: skip


def test_many_people_come_and_go_in_order(network: Loaded) -> None:
    def at(frame: int) -> dict[int, Bbox]:
        return {track: replace_x(STANDING, 3.0 * frame + 20 * track) for track in range(frame % 4)}

    posed, _ = run(network, shots(drawn_frames(COUNT)), people(at), batch=5)

    assert [[pose.track_id for pose in one.poses] for one in posed] == [list(range(at % 4)) for at in range(COUNT)]
    assert all(
        pose.bbox[0] == 10 + 3.0 * one.frame.position + 20 * pose.track_id for one in posed for pose in one.poses
    )


def replace_x(bbox: Bbox, shift: float) -> Bbox:
    return bbox[0] + shift, bbox[1], bbox[2] + shift, bbox[3]
