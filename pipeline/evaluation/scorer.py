"""What predictions of val are worth: the official AP where the skeleton is PoseTrack's, else OKS-AP."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from dsn.skeleton import Skeleton
from pipeline.evaluation.loading import annotation_files, read_video
from pipeline.evaluation.numbers import or_none
from pipeline.evaluation.oks import found_people
from pipeline.evaluation.statistics import drawn_ap, drawn_oks_ap
from pipeline.evaluation.tables import read_truth, score_videos
from pipeline.evaluation.video import Video
from pipeline.posetrack.index import Index
from pipeline.posetrack.official import is_evaluated

POSETRACK_AP = "PoseTrack AP"
"""The official protocol's Total."""
OKS_AP = "OKS-AP"
"""COCO's, over OKS 0.5 to 0.95, with the skeleton's own sigmas."""


@runtime_checkable
class Scorer(Protocol):
    """Scores tables of predictions (see `predict.table`) of some annotated people."""

    @property
    def metric(self) -> str:
        """What the score is called wherever it stands."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Whose people are scored, in the order of `drawn`'s columns."""

    def drawn(self, rows: pd.DataFrame, times: Int64[np.ndarray, "R V"]) -> Float64[np.ndarray, " R"]:
        """The score in percent of each draw, in which video v stands `times[r, v]` times; NaN where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialScorer:
    """By the official protocol, from the joints' own scores."""

    truth: tuple[Video, ...]
    skeleton: Skeleton

    @property
    def metric(self) -> str:
        """See `Scorer`."""
        return POSETRACK_AP

    @property
    def videos(self) -> tuple[str, ...]:
        """See `Scorer`."""
        return tuple(video.path.stem for video in self.truth)

    def drawn(self, rows: pd.DataFrame, times: Int64[np.ndarray, "R V"]) -> Float64[np.ndarray, " R"]:
        """See `Scorer`."""
        return drawn_ap(score_videos(self.truth, rows, skeleton=self.skeleton), times)


@dataclass(frozen=True, slots=True, kw_only=True)
class OksScorer:
    """By OKS, from the people's scores."""

    people: pd.DataFrame
    """Rows of the index's people."""
    skeleton: Skeleton

    @property
    def metric(self) -> str:
        """See `Scorer`."""
        return OKS_AP

    @property
    def videos(self) -> tuple[str, ...]:
        """See `Scorer`."""
        return tuple(sorted(self.people["video"].unique()))

    def drawn(self, rows: pd.DataFrame, times: Int64[np.ndarray, "R V"]) -> Float64[np.ndarray, " R"]:
        """See `Scorer`."""
        return drawn_oks_ap(found_people(self.people, rows, skeleton=self.skeleton), times)


def scorer_of(index: Index, folder: Path) -> Scorer:
    """Scores against all annotated people of val, in the videos that have any.

    Args:
        index: of the dataset.
        folder: its official files of val.
    """
    if is_evaluated(index.skeleton):
        videos = (read_video(path) for path in annotation_files(folder))
        return OfficialScorer(truth=tuple(video for video in videos if video.entries.any()), skeleton=index.skeleton)
    return OksScorer(people=annotated_people(index), skeleton=index.skeleton)


def scorer_of_some(index: Index, folder: Path, *, rows: pd.DataFrame) -> Scorer:
    """Scores against the annotated people alone of whom a table of predictions has a pose.

    Args:
        index: of the dataset.
        folder: its official files of val.
        rows: predictions of annotated people.
    """
    if is_evaluated(index.skeleton):
        return OfficialScorer(truth=tuple(read_truth(folder, rows)), skeleton=index.skeleton)
    names = ["video", "frame", "person"]
    return OksScorer(people=annotated_people(index).merge(rows[names], on=names), skeleton=index.skeleton)


def annotated_people(index: Index) -> pd.DataFrame:
    """Rows of val's annotated people; those whom a detector found are left out."""
    frames = index.frames.loc[index.frames["split"] == "val", ["video", "frame"]]
    return index.people[index.people["score"].isna()].merge(frames, on=["video", "frame"])


def by_video(scorer: Scorer, rows: pd.DataFrame) -> dict[str, float | None]:
    """The score of each video by itself; None where it has none."""
    alone = scorer.drawn(rows, np.eye(len(scorer.videos), dtype=np.int64))
    return {video: or_none(float(score)) for video, score in zip(scorer.videos, alone, strict=True)}
