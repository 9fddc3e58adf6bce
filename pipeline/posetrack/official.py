"""Ground truth as the official evaluator wants it: a PoseTrack18 file a video, joints by their official names."""

from typing import Any

from dsn.skeleton import Skeleton
from pipeline.posetrack.coco import Annotation, Document, Image, Part, joint_names


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
