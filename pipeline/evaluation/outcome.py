"""Every method's poses under every condition, each part of the work done once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from pipeline.evaluation.conditions import Condition, Grid
from pipeline.evaluation.degrade import degraded
from pipeline.evaluation.kinds import Donors
from pipeline.evaluation.methods import (
    SEES,
    SUPPORTING,
    Networks,
    Support,
    look,
    support,
    touched,
    watch,
)
from pipeline.evaluation.predict import Poses, join, locate
from pipeline.shards.batch import ClipBatch
from pipeline.shards.sample import ClipSample

Strider = Callable[[ClipBatch, int], ClipBatch]
"""Gives the same keyframes with supporting frames so many times as far away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Poses by method and condition; a condition that changes nothing that a method sees is not there."""

    samples: tuple[ClipSample, ...]
    poses: dict[str, dict[Condition, Poses]]

    def of(self, method: str, condition: Condition) -> Poses:
        """The poses of a method under a condition."""
        return self.poses[method][effective(method, condition)]


def effective(method: str, condition: Condition) -> Condition:
    """The condition, or the clean one of its stride where the method sees nothing of what it changes."""
    return condition if touched(condition) & SEES[method] else condition.clean


def run_all(
    networks: Networks, batches: Iterable[ClipBatch], *, grid: Grid, stride: Strider, donors: Donors
) -> Outcome:
    """Every method on every sample under every condition of the grid."""
    samples: list[ClipSample] = []
    parts: dict[str, dict[Condition, list[Poses]]] = {}
    networks.evaluate()
    for batch in batches:
        samples += batch.samples
        for times in grid.strides:
            clips = stride(batch, times)
            for method, condition, poses in _run_batch(
                networks, clips, conditions=grid.conditions(times), donors=donors
            ):
                parts.setdefault(method, {}).setdefault(condition, []).append(poses)
    joined = {method: {name: join(found) for name, found in by_name.items()} for method, by_name in parts.items()}
    return Outcome(samples=tuple(samples), poses=joined)


def _run_batch(
    networks: Networks, batch: ClipBatch, *, conditions: list[Condition], donors: Donors
) -> Iterator[tuple[str, Condition, Poses]]:
    """(method, condition, poses) of one batch at one stride; the first condition is clean."""
    position = networks.model.clip.keyframe_position
    clean: Support | None = None
    for condition in conditions:
        changed = touched(condition)
        how = condition.degradation
        frames = batch.frames if how is None else degraded(batch, how, clip=networks.clip, donors=donors)
        supporting = _without(frames, position)
        if clean is None or SUPPORTING in changed:
            watched = support(networks, supporting, keys=batch.keys)
            yield from _told(watch(networks, supporting, watched=watched, batch=batch), condition)
        else:
            watched = clean
        clean = clean or watched
        maps = look(networks, frames[:, position], watched=watched)
        poses = {name: locate(found, batch.to_source, model=networks.model) for name, found in maps.items()}
        shown = {name: found for name, found in poses.items() if how is None or changed & SEES[name]}
        yield from _told(shown, condition)


def _told(poses: dict[str, Poses], condition: Condition) -> Iterator[tuple[str, Condition, Poses]]:
    for method, found in poses.items():
        yield method, condition, found


def _without(frames: Tensor, position: int) -> Tensor:
    return frames[:, [place for place in range(frames.shape[1]) if place != position]]


def select(batch: ClipBatch, keys: frozenset[str]) -> ClipBatch:
    """The samples of a batch that are wanted, in their order."""
    rows = [row for row, key in enumerate(batch.keys) if key in keys]
    return replace(
        batch,
        keys=tuple(batch.keys[row] for row in rows),
        frames=batch.frames[rows],
        keypoints=batch.keypoints[rows],
        visible=batch.visible[rows],
        to_source=batch.to_source[rows],
        head_size=batch.head_size[rows],
        bbox_size=batch.bbox_size[rows],
        is_spoilt=batch.is_spoilt[rows],
        samples=tuple(batch.samples[row] for row in rows),
    )
