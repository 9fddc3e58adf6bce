"""Datasets in any of the field's formats, behind one entry that tells them apart by what their folder holds."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dsn.skeleton import POSETRACK, Skeleton
from pipeline import params
from pipeline.artifacts import write_text
from pipeline.posetrack import coco, merged, posetrack17
from pipeline.posetrack.annotations import Split, Video
from pipeline.posetrack.official import official, speaks_officially
from pipeline.refusal import Refusal

Format = Literal["posetrack17", "posetrack17_mat", "posetrack18", "posetrack21", "merged"]

VIDEO_FILES = ("posetrack_data/annotations", "annotations")
"""Folders with a file for each video in `train` and `val`: as PoseTrack17 and 18 come, and as mmpose lays out 18."""
POSETRACK21_FILES = "posetrack_data"
MERGED_FILES = (
    "posetrack17_json_files/posetrack_{}.json",
    "posetrack18_json_files/posetrack_{}.json",
    "posetrack_{}.json",
    "annotations/posetrack17_{}.json",
    "annotations/posetrack18_{}.json",
    "annotations/posetrack_{}.json",
    "annotations/{}.json",
)
"""Where merged lists lie: DetectAndTrack's and DCPose's first, then mmpose's, then COCO's own."""
SKELETON_FILE = "skeleton.json"
WANTED = (
    "posetrack_data/annotations/{train,val}/*.json (PoseTrack18, or 17, there also *.mat), "
    "annotations/{train,val}/*.json (mmpose's layout), posetrack_data/{train,val}/*.json (PoseTrack21), or a merged "
    "list such as annotations/posetrack18_{train,val}.json; own joints stand in skeleton.json"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A dataset that was found."""

    root: Path
    format: Format
    skeleton: Skeleton
    """PoseTrack's, unless `skeleton.json` stands in the root."""
    pattern: str
    """Its annotations below the root, with {} for the split."""

    def files(self, split: Split) -> list[Path]:
        """The split's annotation files in order of name.

        Raises:
            Refusal: there are none.
        """
        files = _files(self.root, self.pattern, split)
        if not files:
            wanted = self.root / self.pattern.format(split)
            raise Refusal(
                f"{wanted.parent}: got no annotation files, wanted at least one {wanted.name}; "
                "set `data.root` in params.yaml to a dataset with a train and a val split"
            )
        return files


def find_source(root: Path) -> Source:
    """The dataset in a folder.

    Raises:
        Refusal: the folder holds no labels that are known, or those of two datasets; or its skeleton.json is none.
    """
    found = {pattern: kind for pattern, kind in _layouts(root) if any(_both(root, pattern))}
    if not found:
        raise Refusal(f"{root}: {_seen(root)}; wanted {WANTED}; set `data.root` in params.yaml to the dataset's folder")
    if len(found) > 1:
        names = ", ".join(f"{pattern.format('*')} ({kind})" for pattern, kind in found.items())
        raise Refusal(
            f"{root}: got labels of {len(found)} datasets, {names}; wanted one; set `data.root` to a folder that holds "
            "one of them beside the images (links will do)"
        )
    ((pattern, kind),) = found.items()
    skeleton = _skeleton(root)
    if kind.startswith("posetrack17") and skeleton != POSETRACK:
        raise Refusal(f"{root / SKELETON_FILE}: PoseTrack17's joints are numbers, and fixed; take the file away")
    return Source(root=root, format=kind, skeleton=skeleton, pattern=pattern)


def read_videos(source: Source, split: Split) -> Iterator[Video]:
    """The videos of a split in order of name, each read when it is asked for; a merged list is read at once.

    Raises:
        Refusal: a file is not of its format; the message names file and field.
    """
    for path in source.files(split):
        yield from read_file(source, path, split)


def read_file(source: Source, path: Path, split: Split) -> Iterator[Video]:
    """The videos of one of the split's files: one, but for a merged list.

    Raises:
        Refusal: the file is not of its format; the message names file and field.
    """
    if source.format in {"posetrack17", "posetrack17_mat"}:
        yield posetrack17.read_video(path, split=split)
        return
    for part in _parts(source, path):
        yield coco.to_video(part, path, split=split, skeleton=source.skeleton, v_means=_meaning(source))


def listed_names(source: Source, split: Split) -> dict[str, str]:
    """What a merged list calls its images, by their paths below the root; nothing in other formats, which say these."""
    if source.format != "merged":
        return {}
    parts = [part for path in source.files(split) for part in _parts(source, path)]
    return {part.files[n]: image.file_name for part in parts for n, image in part.images.items()}


def write_truth(source: Source, folder: Path) -> None:
    """Write val's ground truth for the official evaluator: one file a video.

    Files that it reads as they are, are copied byte for byte. PoseTrack17's .mat becomes PoseTrack17's JSON; videos of
    a merged list, and files that give joints other names, become PoseTrack18's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.files("val"):
        if source.format == "posetrack17":
            shutil.copyfile(path, folder / path.name)
        elif source.format == "posetrack17_mat":
            write_text(folder / f"{path.stem}.json", posetrack17.document(path).decode())
        elif source.format != "merged" and speaks_officially(coco.read_document(path), source.skeleton):
            shutil.copyfile(path, folder / path.name)
        else:
            for part in _parts(source, path):
                text = json.dumps(official(part, source.skeleton), allow_nan=False)
                write_text(folder / f"{part.name}.json", text)


def _meaning(source: Source) -> coco.Meaning:
    if source.format == "posetrack21":
        return "visible"
    return "labelled" if source.skeleton == POSETRACK else "coco"


def _parts(source: Source, path: Path) -> list[coco.Part]:
    document = coco.read_document(path)
    return merged.parts(document, path, source.root) if source.format == "merged" else [coco.whole(document, path.stem)]


def _layouts(root: Path) -> Iterator[tuple[str, Format]]:
    """Every pattern at which annotations may lie, with what they are if they do."""
    for folder in VIDEO_FILES:
        pattern = f"{folder}/{{}}/*.json"
        files = _both(root, pattern)
        if files:
            yield pattern, "posetrack17" if _is_annolist(files[0]) else "posetrack18"
        if _has_own_mat(root, folder):
            yield f"{folder}/{{}}/*.mat", "posetrack17_mat"
    yield f"{POSETRACK21_FILES}/{{}}/*.json", "posetrack21"
    for pattern in MERGED_FILES:
        # mmpose keeps the official files in folders beside a list that was put together from them.
        if not _both(root, f"{Path(pattern).parent}/{{}}/*.json"):
            yield pattern, "merged"


def _has_own_mat(root: Path, folder: str) -> bool:
    """Whether there are .mat files other than those of the JSON files beside them: PoseTrack17 came as both."""
    stems = {path.with_suffix("") for path in _both(root, f"{folder}/{{}}/*.json")}
    return any(path.with_suffix("") not in stems for path in _both(root, f"{folder}/{{}}/*.mat"))


def _both(root: Path, pattern: str) -> list[Path]:
    return [*_files(root, pattern, "train"), *_files(root, pattern, "val")]


def _files(root: Path, pattern: str, split: Split) -> list[Path]:
    return sorted(path for path in root.glob(pattern.format(split)) if not path.name.startswith("."))


def _is_annolist(path: Path) -> bool:
    """Whether a JSON file is PoseTrack17's; what is no JSON is left to the reader, who says what is wrong."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and "annolist" in content


def _skeleton(root: Path) -> Skeleton:
    path = root / SKELETON_FILE
    if not path.is_file():
        return POSETRACK
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise Refusal(f"{path}: {error}, wanted a skeleton as JSON") from None
    return params.parse(values, Skeleton, name=str(path))


def _seen(root: Path) -> str:
    """What a folder without known labels holds, in words."""
    if not root.is_dir():
        return "no such folder"
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    return f"got no annotations in it, only {', '.join(names[:8]) or 'nothing'}{', ...' if len(names) > 8 else ''}"
