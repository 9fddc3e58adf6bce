"""Merged lists: one COCO file with many videos, in DetectAndTrack's (also DCPose's) style or in mmpose's."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from pipeline.posetrack.annotations import below_root
from pipeline.posetrack.coco import Annotation, Document, Image, Part
from pipeline.refusal import Refusal

PLACES: tuple[Callable[[Image], str], ...] = (
    lambda image: image.file_name,
    lambda image: f"images_renamed/{image.file_name}",
    lambda image: image.original_file_name or image.file_name,
    lambda image: f"images/{image.file_name}",
)
"""Where a list's images may lie below the root. DetectAndTrack's names start behind the folder of images, and count
renamed copies; `original_file_name` is the frame as distributed. The names of copies also occur among the originals,
where they stand for other frames, so these come last."""


def parts(document: Document, path: Path, root: Path) -> list[Part]:
    """The videos of a list, in order of name.

    An annotation whose image is not in the list goes to the first video, where checks leave it out with its reason.

    Raises:
        Refusal: one id stands for images of two videos, or a path leaves the root.
    """
    files = _files(document.images, path, root)
    names = _names({PurePosixPath(file).parent for file in files.values()})
    video_of = {n: names[PurePosixPath(file).parent] for n, file in files.items()}
    owner = _owners(document.images, video_of, path)
    images: defaultdict[str, dict[int, Image]] = defaultdict(dict)
    for n, image in enumerate(document.images):
        images[video_of[n]][n] = image
    annotations: defaultdict[str, dict[int, Annotation]] = defaultdict(dict)
    first = min(images, default="")
    for n, annotation in enumerate(document.annotations):
        annotations[owner.get(annotation.image_id, first)][n] = annotation
    joints = document.categories[0].keypoints
    return [
        Part(name=name, images=in_time(images[name]), annotations=annotations[name], joints=joints, files=files)
        for name in sorted(images)
    ]


def in_time(images: dict[int, Image]) -> dict[int, Image]:
    """A video's images by `frame_id` where that tells them apart, else as the list has them."""
    ids = [image.frame_id for image in images.values() if image.frame_id is not None]
    if len(set(ids)) < len(images):
        return images
    return dict(sorted(images.items(), key=lambda item: item[1].frame_id or 0))


def _files(images: Sequence[Image], path: Path, root: Path) -> dict[int, str]:
    """Paths below the root: by the first of `PLACES` at which any image exists, by the first of all where none does."""
    for place in PLACES:
        files = {n: below_root(place(image), f"{path}: images.{n}.file_name") for n, image in enumerate(images)}
        if any((root / file).is_file() for file in files.values()):
            return files
    return {n: below_root(image.file_name, f"{path}: images.{n}.file_name") for n, image in enumerate(images)}


def _names(folders: set[PurePosixPath]) -> dict[PurePosixPath, str]:
    """A video is named as its folder; where PoseTrack17 has two of one name, together with the folder above."""
    last = [folder.name for folder in folders]
    return {
        folder: f"{folder.parent.name}-{folder.name}" if last.count(folder.name) > 1 else folder.name
        for folder in folders
    }


def _owners(images: Sequence[Image], video_of: dict[int, str], path: Path) -> dict[int, str]:
    """The video of every image id."""
    owner: dict[int, str] = {}
    for n, image in enumerate(images):
        if owner.setdefault(image.id, video_of[n]) != video_of[n]:
            both = f"{owner[image.id]} and {video_of[n]}"
            raise Refusal(f"{path}: images.{n}.id: got {image.id} for images of {both}, wanted ids that are unique")
    return owner
