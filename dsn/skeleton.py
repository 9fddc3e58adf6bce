"""Skeletons: which joints there are, and how they pair, connect and count."""

from dataclasses import asdict, dataclass
from typing import Any

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """The joints of a dataset. Every index is a channel: a position in `joints`."""

    name: str
    joints: tuple[str, ...]
    """K names, in the order of the heatmap channels."""
    flip_pairs: Pairs
    """Left and right channels that swap when an image is mirrored; joints on the body's axis stay."""
    limbs: Pairs
    """Channels joined by a line when a pose is drawn."""
    sigmas: tuple[float, ...]
    """K per-joint spreads of Object Keypoint Similarity."""
    scored: tuple[int, ...]
    """Channels that are labelled, and therefore trained and evaluated."""
    upper_body: tuple[int, ...]
    """Channels kept together by half-body augmentation."""
    lower_body: tuple[int, ...]
    """The other half."""
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    """Columns of a result table, each with the channels that it averages."""

    def __post_init__(self) -> None:
        """Refuse indices that name no joint, lists of another length, and joints that two pairs would swap."""
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise ValueError(f"joints: got a name twice in {self.joints}")
        if len(self.sigmas) != count or not all(sigma > 0 for sigma in self.sigmas):
            raise ValueError(f"sigmas: got {self.sigmas}, wanted a positive number for each of {count} joints")
        indices = [*self.scored, *self.upper_body, *self.lower_body]
        indices += [index for pair in (*self.flip_pairs, *self.limbs) for index in pair]
        indices += [index for _, members in self.groups for index in members]
        wrong = sorted({index for index in indices if not 0 <= index < count})
        if wrong:
            raise ValueError(f"skeleton {self.name}: got joint indices {wrong}, wanted 0 to {count - 1}")
        swapped = [index for pair in self.flip_pairs for index in pair]
        if len(set(swapped)) < len(swapped):
            raise ValueError(f"flip_pairs: got {self.flip_pairs}, wanted every joint in one pair at most")
        if not self.scored or len(set(self.scored)) < len(self.scored):
            raise ValueError(f"scored: got {self.scored}, wanted at least one joint, and none twice")


def to_dict(skeleton: Skeleton) -> dict[str, Any]:
    """JSON-ready values; `from_dict` is the inverse."""
    return asdict(skeleton)


def from_dict(values: dict[str, Any]) -> Skeleton:
    """The skeleton that `to_dict` wrote."""
    return Skeleton(
        name=values["name"],
        joints=tuple(values["joints"]),
        flip_pairs=tuple((left, right) for left, right in values["flip_pairs"]),
        limbs=tuple((start, end) for start, end in values["limbs"]),
        sigmas=tuple(values["sigmas"]),
        scored=tuple(values["scored"]),
        upper_body=tuple(values["upper_body"]),
        lower_body=tuple(values["lower_body"]),
        groups=tuple((name, tuple(members)) for name, members in values["groups"]),
    )


POSETRACK = Skeleton(
    name="posetrack",
    joints=(
        "nose", "head_bottom", "head_top", "left_ear", "right_ear",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    flip_pairs=((3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    limbs=(
        (2, 0), (0, 1), (1, 5), (1, 6), (5, 7), (7, 9), (6, 8), (8, 10),
        (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
    ),
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072,
        0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
    scored=(0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
    upper_body=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    lower_body=(11, 12, 13, 14, 15, 16),
    groups=(
        ("Head", (2, 1, 0)), ("Shou", (5, 6)), ("Elb", (7, 8)), ("Wri", (9, 10)),
        ("Hip", (11, 12)), ("Knee", (13, 14)), ("Ankl", (15, 16)),
    ),
)  # fmt: skip
"""PoseTrack18's 17 joints; the ears are never labelled. The sigmas are COCO's, as the field's PoseTrack configs use
them: `head_bottom` and `head_top` stand where COCO has the eyes."""
