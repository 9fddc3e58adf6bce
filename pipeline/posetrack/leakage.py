"""Leakage: footage that is in two videos, so that one of them tells what the other is asked.

Two videos share footage where two consecutive frames of one are, byte for byte, two consecutive frames of the other.
Sizes are compared first, which reads nothing; only files whose sizes agree two by two are read and hashed, each once. A
pair of files of one size is left out: so look still pictures, black ones above all, which prove nothing. Copies that
were encoded again or thinned out are not found.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import pandas as pd

from pipeline.artifacts import sha256

RULE = "two consecutive frames of one video are, byte for byte, two consecutive frames of the other"

Place = tuple[str, int]
"""A video, and the position of a frame among those of its frames that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Two videos that share footage."""

    videos: tuple[str, str]
    """In order of name."""
    splits: tuple[str, str]
    files: tuple[str, str]
    """The first frame that both have, as each names it."""
    pairs: int
    """Pairs of consecutive frames that both have."""

    @property
    def reaches_val(self) -> bool:
        """Whether one is in val, and the other is not."""
        return len({split == "val" for split in self.splits}) == 2


def find_leaks(frames: pd.DataFrame, root: Path) -> list[Leak]:
    """Videos that share footage, in order of name.

    Args:
        frames: `video`, `file` (below `root`) and `split` of every frame whose image is there, in order.
        root: the dataset's folder.
    """
    files = {str(name): list(part) for name, part in frames.groupby("video")["file"]}
    splits = {str(name): str(split) for name, split in frames.groupby("video")["split"].first().items()}
    shared: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for places in _same_footage(files, root):
        for (one, here), (other, there) in combinations(places.items(), 2):
            shared[one, other].append((files[one][here], files[other][there]))
    return [
        Leak(videos=pair, splits=(splits[pair[0]], splits[pair[1]]), files=found[0], pairs=len(found))
        for pair, found in sorted(shared.items())
    ]


def _same_footage(files: Mapping[str, list[str]], root: Path) -> list[dict[str, int]]:
    """For each two consecutive frames that several videos have: where each of the videos has them first."""
    sizes = {name: [(root / file).stat().st_size for file in own] for name, own in files.items()}
    digest = cache(lambda file: sha256(root / file))
    moving = [
        (name, position)
        for name, own in sizes.items()
        for position in range(len(own) - 1)
        if own[position] != own[position + 1]
    ]
    alike = _in_several_videos(moving, by=lambda place: tuple(sizes[place[0]][place[1] : place[1] + 2]))
    suspects = [place for places in alike for place in places]
    same = _in_several_videos(
        suspects, by=lambda place: tuple(digest(file) for file in files[place[0]][place[1] : place[1] + 2])
    )
    return [dict(sorted(dict(sorted(places, reverse=True)).items())) for places in same]


def _in_several_videos(places: Iterable[Place], *, by: Callable[[Place], Hashable]) -> list[list[Place]]:
    """Places that have the same `by`, where they are of several videos."""
    groups: dict[Hashable, list[Place]] = defaultdict(list)
    for place in places:
        groups[by(place)].append(place)
    return [found for found in groups.values() if len({video for video, _ in found}) > 1]
