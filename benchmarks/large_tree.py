"""A PoseTrack18 tree of any number of videos: 1280 x 720 frames of cloudy noise with grain, people who walk by."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dsn.skeleton import POSETRACK
from pipeline.artifacts import write_json
from pipeline.drawn.annotations import categories, frame_id, image_entry, person_entry, video_name

HEIGHT, WIDTH = 720, 1280
FRAMES = 30
PEOPLE = 4
QUALITY = 90
"""With it a frame takes some 250 KB, as frames of PoseTrack do."""


def write_large_tree(root: Path, *, videos: int) -> Path:
    """Write the tree into a new folder, a fifth of its videos in val; gives the folder."""
    held_out = max(1, videos // 5)
    for number in range(1, videos + 1):
        _write_video(root, number, split="val" if number <= held_out else "train")
    return root


def _write_video(root: Path, number: int, *, split: str) -> None:
    rng = np.random.default_rng(number)
    name = video_name(number, split)
    folder = root / "images" / split / name
    folder.mkdir(parents=True)
    clouds = cv2.resize(rng.uniform(0, 255, (48, 80, 3)).astype(np.float32), (WIDTH + 4 * FRAMES, HEIGHT))
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    joints = _bodies(rng)
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f"{frame:06d}.jpg"), _image(clouds, frame, rng), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        images.append(image_entry(number, frame, split=split, frames=FRAMES, is_labeled=True, regions=[]))
        people += [_entry(joints[person] + (3 * frame, 0), person, frame_id(number, frame)) for person in range(PEOPLE)]
    annotation = {"images": images, "annotations": people, "categories": categories()}
    write_json(root / "posetrack_data" / "annotations" / split / f"{name}.json", annotation)


def _bodies(rng: np.random.Generator) -> Float[np.ndarray, "P K 2"]:
    """Joints of people 200 to 400 pixels high, who stand side by side."""
    heights = rng.uniform(200, 400, (PEOPLE, 1, 1))
    left = 40 + 270 * np.arange(PEOPLE)[:, None, None]
    joints = rng.uniform(0, 1, (PEOPLE, len(POSETRACK.joints), 2)) * heights * (0.5, 1)
    return np.asarray(joints + np.concatenate([left, 300 + 0 * left], axis=2))


def _entry(keypoints: Float[np.ndarray, "K 2"], person: int, identity: int) -> dict[str, Any]:
    is_labelled = np.zeros(len(keypoints), dtype=bool)
    is_labelled[list(POSETRACK.scored)] = True
    x, y = keypoints[POSETRACK.joints.index("nose")]
    head = np.array([x - 20, y - 20, x + 20, y + 25])
    return person_entry(identity, person, track_id=person, keypoints=keypoints, is_labelled=is_labelled, head_bbox=head)


def _image(clouds: Float[np.ndarray, "_ _ 3"], frame: int, rng: np.random.Generator) -> UInt8[np.ndarray, "_ _ 3"]:
    """The clouds as they have drifted by, under grain."""
    grain = rng.normal(0, 5, (HEIGHT // 2, WIDTH // 2, 1)).repeat(2, axis=0).repeat(2, axis=1)
    return np.asarray(np.clip(clouds[:, 4 * frame : 4 * frame + WIDTH] + grain, 0, 255), dtype=np.uint8)
