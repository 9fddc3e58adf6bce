"""Ground truth as the official evaluator wants it: a PoseTrack18 file a video, joints by their official names."""

from collections.abc import Iterable
from typing import Any

from dsn.skeleton import Skeleton
from pipeline.posetrack.annotations import Person, Video
from pipeline.posetrack.coco import Annotation, Document, Image, Part, joint_names
from pipeline.posetrack.posetrack17 import JOINTS

COUNTS = (15, 17)
"""How many joints a file may name: PoseTrack17's, or PoseTrack18's with the ears."""
TRACK_BOUND = 10_000
"""Track ids lie below it; negative ones pass."""


def is_evaluated(skeleton: Skeleton) -> bool:
    """Whether the official protocol applies: to PoseTrack's joints, and at most the ears beside them."""
    return len(skeleton.joints) in COUNTS and set(JOINTS) <= set(skeleton.joints)


def unscorable(videos: Iterable[Video], skeleton: Skeleton) -> list[str]:
    """What stages evaluate and stress would stop at in val's ground truth: a line for each kind, with the first case.

    Track ids have their bound in files of any joints; heads are needed where the official protocol measures by them.
    """
    val = [video for video in videos if video.split == "val"]
    people = [(f"{video.path}: frame {person.frame_id}: ", person) for video in val for person in video.people]
    tracks = [f"{where}track_id: got {one.track_id}" for where, one in people if one.track_id >= TRACK_BOUND]
    heads = [f"{where}bbox_head: got none for track {one.track_id}" for where, one in people if _is_headless(one)]
    told = [(tracks, f"less than {TRACK_BOUND}, as in PoseTrack's own files: number each video's tracks from 0")]
    if is_evaluated(skeleton):
        told.append((heads, "one for everyone in val: PoseTrack's joints are scored by its protocol, in head sizes"))
    return [f"{found[0]} ({len(found)} such), wanted {wanted}" for found, wanted in told if found]


def _is_headless(person: Person) -> bool:
    """Whether somebody who is to be found has no box of the head, not even one without an area."""
    return person.bbox is not None and not person.has_head_bbox


def speaks_officially(document: Document, skeleton: Skeleton) -> bool:
    """Whether a file names its joints as the skeleton does, so that it can stay as it is."""
    names = document.categories[0].keypoints
    return joint_names(names, skeleton) == names


def official(part: Part, skeleton: Skeleton) -> dict[str, Any]:
    """One video as the content of a PoseTrack18 file.

    Entries whose image is not in the list are left out, since the evaluator stops at them. Annotations are numbered
    anew: in merged lists their ids may repeat.
    """
    known = {image.id for image in part.images.values()}
    people = [annotation for annotation in part.annotations.values() if annotation.image_id in known]
    return {
        "images": [_image(image, part.files.get(n, image.file_name)) for n, image in part.images.items()],
        "annotations": [{"id": number} | _annotation(person) for number, person in enumerate(people)],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person", "keypoints": joint_names(part.joints, skeleton)}
        ],
    }


def _image(image: Image, file: str) -> dict[str, Any]:
    values = {
        "id": image.id,
        "frame_id": image.id,
        "file_name": file,
        "nframes": image.nframes,
        "is_labeled": image.is_labeled,
        "ignore_regions_x": image.ignore_regions_x,
        "ignore_regions_y": image.ignore_regions_y,
    }
    return {name: value for name, value in values.items() if value is not None}


def _annotation(annotation: Annotation) -> dict[str, Any]:
    values: dict[str, Any] = {
        "image_id": annotation.image_id,
        "category_id": 1,
        "track_id": annotation.track_id,
        "keypoints": annotation.keypoints,
        "scores": [],
        "bbox": annotation.bbox,
        "bbox_head": _head(annotation),
    }
    return {name: value for name, value in values.items() if value is not None}


def _head(annotation: Annotation) -> list[float] | None:
    if not annotation.head_box:
        return annotation.bbox_head
    x1, y1, x2, y2 = annotation.head_box
    return [x1, y1, x2 - x1, y2 - y1]
