"""Who is who from frame to frame: bboxes that overlap, confident ones first, as ByteTrack does (arXiv 2110.06864)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import linear_sum_assignment

from pipeline.inference.people import Found
from pipeline.shards.sample import Bbox


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackConfig:
    """When two bboxes are the same person."""

    min_overlap: float
    """Intersection over union that they need."""
    confident: float
    """Score from which on a bbox is matched first."""
    new: float
    """Score from which on a bbox that continues no track is somebody new."""
    patience: int
    """Frames for which somebody who is not seen is still waited for."""

    def __post_init__(self) -> None:
        """Refuse what would match nothing or everything."""
        if not 0 < self.min_overlap < 1:
            raise ValueError(f"min_overlap: got {self.min_overlap}, wanted more than 0 and less than 1")
        if self.patience < 0:
            raise ValueError(f"patience: got {self.patience}, wanted at least 0")


@dataclass(slots=True, kw_only=True)
class Track:
    """Somebody as last seen."""

    track_id: int
    bbox: Bbox
    position: int
    velocity: tuple[float, float]
    """Pixels a frame."""

    def expected(self, position: int) -> Bbox:
        """The bbox at a later frame if they go on as before."""
        x, y = (speed * (position - self.position) for speed in self.velocity)
        x1, y1, x2, y2 = self.bbox
        return x1 + x, y1 + y, x2 + x, y2 + y

    def see(self, bbox: Bbox, position: int) -> None:
        """Take note of where they are now; half of the old velocity stays, since detectors tremble."""
        moved = [
            (new[0] + new[1] - old[0] - old[1]) / 2 / (position - self.position)
            for new, old in (((bbox[0], bbox[2]), (self.bbox[0], self.bbox[2])), (bbox[1::2], self.bbox[1::2]))
        ]
        self.velocity = ((self.velocity[0] + moved[0]) / 2, (self.velocity[1] + moved[1]) / 2)
        self.bbox, self.position = bbox, position


class Tracker:
    """Gives everybody in a running video a number that stays."""

    def __init__(self, config: TrackConfig) -> None:
        self._config = config
        self._tracks: list[Track] = []
        self._next = 0

    def follow(self, found: Sequence[Found], *, position: int) -> list[tuple[int, Found]]:
        """The track ids of those found in a frame; positions only rise. Whoever is nobody known or new is left out."""
        self._tracks = [track for track in self._tracks if position - track.position <= self._config.patience + 1]
        confident = [one for one in found if one.score >= self._config.confident]
        doubtful = [one for one in found if one.score < self._config.confident]
        free = list(self._tracks)
        seen: list[tuple[int, Found]] = []
        for group in (confident, doubtful):
            for one, track in self._matched(group, free, position=position):
                track.see(one.bbox, position)
                free.remove(track)
                seen.append((track.track_id, one))
        known = {id(one) for _, one in seen}
        new = [one for one in found if one.score >= self._config.new and id(one) not in known]
        return seen + [(self._begin(one, position=position), one) for one in new]

    def _matched(self, found: Sequence[Found], tracks: Sequence[Track], *, position: int) -> list[tuple[Found, Track]]:
        if not found or not tracks:
            return []
        expected = np.array([track.expected(position) for track in tracks])
        shared = overlaps(np.array([one.bbox for one in found]), expected)
        close = np.where(shared >= self._config.min_overlap, shared, 0.0)  # else two that share too little outweigh one
        rows, columns = linear_sum_assignment(close, maximize=True)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return [(found[row], tracks[at]) for row, at in pairs if close[row, at] > 0]

    def _begin(self, one: Found, *, position: int) -> int:
        track = Track(track_id=self._next, bbox=one.bbox, position=position, velocity=(0.0, 0.0))
        self._tracks.append(track)
        self._next += 1
        return track.track_id


def overlaps(first: Float64[np.ndarray, "N 4"], second: Float64[np.ndarray, "M 4"]) -> Float64[np.ndarray, "N M"]:
    """Intersection over union of every two bboxes (x1, y1, x2, y2)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [(bboxes[:, 2:] - bboxes[:, :2]).prod(axis=1) for bboxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared))
