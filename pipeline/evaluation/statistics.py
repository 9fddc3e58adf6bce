"""Intervals: the videos are drawn again with replacement, the same draws for every method."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.ap import ScoredJoints, average_precision
from pipeline.evaluation.oks import FoundPeople
from pipeline.evaluation.people import JOINTS

COVERAGE = 95.0
"""Percent of the draws within an interval."""
FEWEST_VIDEOS = 5
"""With fewer videos an interval over draws of them says nothing."""
RECALLS = np.linspace(0, 1, 101)
"""At which COCO reads the curve of precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number, and where it lies in 95 % of the draws; between NaN and NaN where there are none."""

    value: float
    low: float
    high: float


def total_ap(videos: Sequence[ScoredJoints]) -> float:
    """The official Total in percent: the mean over the joints that have an AP; NaN where none has."""
    values = [joint.ap for joint in average_precision(list(videos)) if not math.isnan(joint.ap)]
    return float(np.mean(values)) if values else math.nan


def draw_videos(count: int, *, draws: int, seed: int) -> Int64[np.ndarray, "R V"]:
    """How often each of `count` videos comes in each draw of as many videos; row 0 is every video once.

    Below `FEWEST_VIDEOS` there are no draws, so that nothing has an interval: one video drawn again is always itself.
    """
    generator = np.random.default_rng(seed)
    size = draws if count >= FEWEST_VIDEOS else 0
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=size).astype(np.int64)
    return np.concatenate([np.ones((1, count), dtype=np.int64), drawn])


def drawn_ap(videos: Sequence[ScoredJoints], times: Int64[np.ndarray, "R V"]) -> Float64[np.ndarray, " R"]:
    """`total_ap` of each draw, in which video v stands `times[r, v]` times.

    A prediction that comes m times is m hits or misses at one score. The scores are therefore sorted once, and only
    the counts differ between draws.
    """
    joint = np.concatenate([video.joint for video in videos])
    score = np.concatenate([video.score for video in videos])
    correct = np.concatenate([video.correct for video in videos])
    video = np.repeat(np.arange(len(videos)), [len(scored.joint) for scored in videos])
    annotated = times @ np.stack([scored.annotated for scored in videos])
    by_joint = np.full((len(times), len(JOINTS)), np.nan)
    for k in range(len(JOINTS)):
        rows = np.flatnonzero(joint == k)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        by_joint[:, k] = _areas(times[:, video[rows]], correct[rows], annotated=annotated[:, k])
    known = ~np.isnan(by_joint)
    total = np.where(known, by_joint, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _areas(
    times: Int64[np.ndarray, "R n"], correct: Bool[np.ndarray, " n"], *, annotated: Int64[np.ndarray, " R"]
) -> Float64[np.ndarray, " R"]:
    """One joint's AP in percent by draw, as `average_precision` has it; predictions in order of falling score."""
    hits, seen = np.cumsum(times * correct, axis=1), np.cumsum(times, axis=1)
    precision = hits / np.maximum(seen, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    gained = (times * correct * envelope).sum(axis=1)
    predicted = times.sum(axis=1)
    area = 100 * gained / np.maximum(annotated, 1)
    return np.where(annotated > 0, area, np.where(predicted > 0, np.nan, 0.0))


def drawn_oks_ap(videos: Sequence[FoundPeople], times: Int64[np.ndarray, "R V"]) -> Float64[np.ndarray, " R"]:
    """OKS-AP in percent of each draw, in which video v stands `times[r, v]` times; NaN where a draw shows nobody.

    As in `drawn_ap`, the scores are sorted once. COCO reads precision where a recall is first reached, which is at a
    hit; the copies of a hit raise it by turns, and none of them has a precision above the last one's.
    """
    video = np.repeat(np.arange(len(videos)), [len(found.score) for found in videos])
    order = np.argsort(-np.concatenate([found.score for found in videos]), kind="stable")
    is_hit = np.concatenate([found.is_hit for found in videos], axis=1)[:, order]
    is_ignored = np.concatenate([found.is_ignored for found in videos], axis=1)[:, order]
    annotated = times @ np.array([found.annotated for found in videos])
    if not len(order):
        return np.where(annotated > 0, 0.0, np.nan)
    own = times[:, video[order]]
    by_threshold = [
        _read_precision(own * ~ignored, hit, annotated=annotated)
        for hit, ignored in zip(is_hit, is_ignored, strict=True)
    ]
    return np.where(annotated > 0, 100 * np.mean(by_threshold, axis=0), np.nan)


def _read_precision(
    times: Int64[np.ndarray, "R n"], hit: Bool[np.ndarray, " n"], *, annotated: Int64[np.ndarray, " R"]
) -> Float64[np.ndarray, " R"]:
    """The mean of precision, made non-increasing, at COCO's recalls; 0 at those that are not reached."""
    hits, seen = np.cumsum(times * hit, axis=1), np.cumsum(times, axis=1)
    precision = hits / np.maximum(seen, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.maximum(annotated, 1)[:, None]
    found = np.zeros(len(times))
    for draw in range(len(times)):
        places = np.searchsorted(recall[draw], RECALLS, side="left")
        found[draw] = envelope[draw, places[places < len(hit)]].sum() / len(RECALLS)
    return found


def interval(values: Float64[np.ndarray, " R"]) -> Interval:
    """The interval of a statistic whose first value is that of the videos as they are, the others those of draws.

    Draws in which it has no value (NaN) are left out.
    """
    drawn = values[1:][~np.isnan(values[1:])]
    if not len(drawn):
        return Interval(value=float(values[0]), low=math.nan, high=math.nan)
    low, high = np.percentile(drawn, [(100 - COVERAGE) / 2, (100 + COVERAGE) / 2])
    return Interval(value=float(values[0]), low=float(low), high=float(high))


def paired_bootstrap(
    first: Float64[np.ndarray, " V"], second: Float64[np.ndarray, " V"], *, draws: int, seed: int
) -> Interval:
    """How much larger one method's number is than another's, on average over the same videos, with its interval.

    For numbers that a video has by itself; the official AP is none, see `drawn_ap`.

    Args:
        first: one method's number of each video, NaN where it has none.
        second: the other's, in the same order; a video without one of the two is left out.
        draws: how often the videos are drawn again.
        seed: decides the draws.
    """
    difference = (first - second)[~np.isnan(first - second)]
    if not len(difference):
        return Interval(value=math.nan, low=math.nan, high=math.nan)
    times = draw_videos(len(difference), draws=draws, seed=seed)
    return interval(drawn_ratio(difference, np.ones(len(difference)), times=times))


def drawn_ratio(
    part: Float64[np.ndarray, " V"], whole: Float64[np.ndarray, " V"], *, times: Int64[np.ndarray, "R V"]
) -> Float64[np.ndarray, " R"]:
    """The videos' sum of `part` by that of `whole`, in each draw; NaN where the latter is 0."""
    wholes = times @ whole
    ratio = np.full(len(times), np.nan)
    np.divide(times @ part, wholes, out=ratio, where=wholes != 0)
    return ratio
