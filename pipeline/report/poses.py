"""Skeletons over pictures, side by side: who is shown, which part of the picture, and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from dsn.skeleton import Skeleton
from pipeline.pages.pictures import Limb, Picture, Pose
from pipeline.report.palette import Method

ROOM = 0.12
"""Space around the poses in a picture, in sides of their extent."""

OF_HEAD = 0.5
"""Head sizes between a joint and its label beyond which it is wrong: the official AP's rule."""
OF_BBOX = 0.2
"""The same in longer sides of the bbox: the rule of PCK@0.2, by which joints of other skeletons are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture with the pose of one method."""

    picture: Picture
    window: Limb
    """The part of it that is shown: left, top, width, height."""
    method: Method
    pose: Pose
    ghost: Pose | None
    """The true pose, drawn faintly below."""
    misses: tuple[Limb, ...]
    """From each wrong joint to where it should be."""
    notes: tuple[str, ...]
    """What the caption says below the method's name."""
    description: str
    """For those who do not see it."""


def window(points: Float64[np.ndarray, "N 2"], where: Picture) -> Limb:
    """The smallest part of a picture, of the picture's own aspect, that shows all points inside it with some room."""
    size = np.array([where.width, where.height], dtype=np.float64)
    inside = np.clip(points, 0, size)
    low, high = inside.min(axis=0), inside.max(axis=0)
    share = min(1.0, float(((high - low) * (1 + 2 * ROOM) / size).max()))
    corner = np.clip((low + high) / 2 - share * size / 2, 0, (1 - share) * size)
    left, top, width, height = (round(float(value), 1) for value in (*corner, *(share * size)))
    return left, top, width, height


def reach_of(head_size: float | None, bbox_size: float, *, is_official: bool) -> float | None:
    """How far off a joint may be, in the pixels of the sizes; None where the official rule wants a head and none is."""
    if not is_official:
        return OF_BBOX * bbox_size
    return None if head_size is None else OF_HEAD * head_size


def misses(
    points: Float64[np.ndarray, "K 2"],
    labels: Float64[np.ndarray, "K 2"],
    *,
    labelled: Bool[np.ndarray, " K"],
    reach: float | None,
) -> tuple[Limb, ...]:
    """Lines from wrong joints, which are farther off than `reach`, to their labels; none where there is no reach."""
    if reach is None:
        return ()
    wrong = labelled & (np.linalg.norm(points - labels, axis=1) > reach)
    lines = np.concatenate([points, labels], axis=1)[wrong]
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in np.round(lines, 1))


def into_crop(points: Float64[np.ndarray, "K 2"], to_source: Sequence[Sequence[float]]) -> Float64[np.ndarray, "K 2"]:
    """Points of the source frame in the crop whose affine to the source frame is given."""
    affine = np.array(to_source, dtype=np.float64)
    back: Float64[np.ndarray, "K 2"] = (points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    return back


def scored(skeleton: Skeleton) -> Bool[np.ndarray, " K"]:
    """The channels that are labelled at all."""
    mask = np.zeros(len(skeleton.joints), dtype=np.bool_)
    mask[list(skeleton.scored)] = True
    return mask


def described(method: Method, *, wrong: int, labelled: int) -> str:
    """An alternative text."""
    if method.name == "truth":
        return f"The labelled skeleton: {labelled} joints."
    return f"The skeleton of {method.label}: {wrong} of {labelled} labelled joints are marked as wrong."
