"""Findings: what checks.json holds. What stays, what was left out and why, what is odd, and what stops the stage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsn.skeleton import Skeleton
from pipeline.posetrack.cases import EXAMPLES, Case, Found, shot, worst
from pipeline.posetrack.checks import LOST, CheckConfig, Kept, Rejected
from pipeline.posetrack.label_version import label_version
from pipeline.posetrack.leakage import RULE, Leak, find_leaks
from pipeline.posetrack.official import unscorable
from pipeline.posetrack.suspects import joints_outside, jumps
from pipeline.refusal import Refusal

STATED_SIZE = "frames_whose_stated_size_differs"
OTHER_SIZE = "frames_of_another_size_than_the_first"
IN_VAL = "videos_of_val_with_training_footage"
ELSEWHERE = "videos_that_share_footage"


def report(
    kept: Sequence[Kept],
    root: Path,
    config: CheckConfig,
    *,
    frames: pd.DataFrame,
    people: pd.DataFrame,
    skeleton: Skeleton,
) -> dict[str, Any]:
    """The content of checks.json, but for the hold-out.

    Args:
        kept: every video, sifted.
        root: the dataset's folder.
        config: what is odd, and how much is too much.
        frames: the index's table.
        people: the index's table.
        skeleton: whose joints the keypoints are.
    """
    rejected = [record for video in kept for record in video.rejected]
    leaks = find_leaks(frames, root)
    suspects = [
        jumps(frames, people, limit=config.jump),
        joints_outside(frames, people),
        *_gathered(_sizes(kept), reasons=(STATED_SIZE, OTHER_SIZE)),
        *_gathered((_leaked(leak) for leak in leaks), reasons=(IN_VAL, ELSEWHERE)),
    ]
    odd = (case for found in suspects for case in found.cases)
    found: dict[str, Any] = {
        "splits": {name: _counts(name, frames, people, skeleton) for name in ("train", "select", "val", "gap")},
        "annotation_files": dict(Counter(split for split, _ in {(item.video.split, item.video.path) for item in kept})),
        "label_version": asdict(label_version(item.video for item in kept)),
        "left_out": [_reason(reason, rejected) for reason in sorted({record.case.reason for record in rejected})],
        "bad_share": _bad_share(kept, rejected),
        "odd": _oddities(kept, suspects),
        "unknown_joints": dict(sorted(Counter(name for item in kept for name in item.video.unknown_joints).items())),
        "leaks": {"rule": RULE, "found": [asdict(leak) for leak in leaks], "share_of_val": _leaked_share(leaks, kept)},
        "cases": [asdict(case) for case in worst([*(record.case for record in rejected), *odd])],
    }
    told = unscorable((item.video for item in kept), skeleton)
    return {**found, "blocks": [*_too_bad(found, config), *_too_leaky(leaks, found, config), *told]}


def refuse_blocked(checks: dict[str, Any], *, root: Path) -> None:
    """Stop where the findings say so.

    Raises:
        Refusal: too much is bad, or val is in train; the message says which, and what to do.
    """
    if checks["blocks"]:
        raise Refusal(f"{root}: {checks['blocks'][0]}; `python -m pipeline check {root} --out DIR` shows all of it")


def _too_bad(found: dict[str, Any], config: CheckConfig) -> list[str]:
    worst_share = max(found["bad_share"].values())
    if worst_share <= config.max_bad_share:
        return []
    bad = sorted((item for item in found["left_out"] if item["is_bad"]), key=lambda item: -int(item["count"]))
    reason = bad[0] if bad[0]["reason"] != LOST else next(item for item in bad if item["kind"] == "frame")
    told = (
        f"{100 * worst_share:.1f} % of its records are bad, wanted at most {100 * config.max_bad_share:g} %; mostly "
        f"{reason['reason']!r} ({reason['count']} in all, such as {reason['examples'][0]}); mend the dataset or raise "
        "`prepare.checks.max_bad_share` in params.yaml"
    )
    return [told]


def _too_leaky(leaks: Sequence[Leak], found: dict[str, Any], config: CheckConfig) -> list[str]:
    share = found["leaks"]["share_of_val"]
    if share <= config.max_leaked_share:
        return []
    leak = next(leak for leak in leaks if leak.reaches_val)
    told = (
        f"{100 * share:.1f} % of val's videos hold footage of training videos, wanted at most "
        f"{100 * config.max_leaked_share:g} %, such as {leak.files[0]}, which is {leak.files[1]}; take one of each two "
        "out of the dataset or raise `prepare.checks.max_leaked_share` in params.yaml"
    )
    return [told]


def _leaked_share(leaks: Iterable[Leak], kept: Sequence[Kept]) -> float:
    val = {item.video.name for item in kept if item.video.split == "val"}
    leaked = {name for leak in leaks if leak.reaches_val for name in leak.videos} & val
    return len(leaked) / max(1, len(val))


def _counts(split: str, frames: pd.DataFrame, people: pd.DataFrame, skeleton: Skeleton) -> dict[str, int]:
    own = frames[frames["split"] == split]
    shown = people.merge(own[["video", "frame"]], on=["video", "frame"])
    joints = np.stack(shown["keypoints"].tolist()).reshape(len(shown), -1, 3) if len(shown) else np.zeros((0, 1, 3))
    labeled = joints[:, list(skeleton.scored), 2] > 0 if len(shown) else joints[:, :, 2] > 0
    return {
        "videos": int(own["video"].nunique()),
        "frames": len(own),
        "labeled_frames": int(own["is_labeled"].sum()),
        "people": len(shown),
        "labeled_people": int(labeled.any(axis=1).sum()),
        "labeled_joints": int(labeled.sum()),
        "occluded_joints": sum(row[joint] is True for row in shown["occluded"] for joint in skeleton.scored),
    }


def _reason(reason: str, rejected: Sequence[Rejected]) -> dict[str, Any]:
    records = [record for record in rejected if record.case.reason == reason]
    return {
        "reason": reason,
        "kind": records[0].kind,
        "is_bad": records[0].is_bad,
        "count": len(records),
        "examples": [record.case.where for record in records[:EXAMPLES]],
    }


def _bad_share(kept: Sequence[Kept], rejected: Sequence[Rejected]) -> dict[str, float]:
    totals = {
        "frame": sum(len(item.video.frames) for item in kept),
        "person": sum(len(item.video.people) for item in kept),
    }
    bad: Counter[str] = Counter(record.kind for record in rejected if record.is_bad)
    return {kind: bad[kind] / max(1, total) for kind, total in totals.items()}


def _oddities(kept: Sequence[Kept], suspects: Sequence[Found]) -> dict[str, int]:
    """Counts of what is unusual and kept."""
    people = [person for item in kept for _, person in item.people]
    repeats = Counter(person.annotation_id for person in people if person.annotation_id >= 0)
    files = Counter((item.video.name, frame.file) for item in kept for _, frame, _ in item.frames)
    return {
        "videos_whose_nframes_differs": sum(item.video.nframes not in {None, len(item.video.frames)} for item in kept),
        "labeled_frames_without_people": sum(_empty_frames(item) for item in kept),
        "people_without_keypoints": sum(not person.keypoints[:, 2].any() for person in people),
        "people_without_head_bbox": sum(person.head_bbox is None for person in people),
        "bboxes_made_from_keypoints": sum(not person.has_own_bbox for person in people),
        "annotation_ids_repeated": sum(count - 1 for count in repeats.values()),
        "images_listed_twice_in_a_video": sum(count - 1 for count in files.values()),
        **{found.reason: found.count for found in suspects},
    }


def _empty_frames(item: Kept) -> int:
    shown = {position for position, _ in item.people}
    return sum(frame.is_labeled and position not in shown for position, frame, _ in item.frames)


def _gathered(cases: Iterable[Case], *, reasons: Sequence[str]) -> list[Found]:
    every = list(cases)
    parts = {reason: [case for case in every if case.reason == reason] for reason in reasons}
    return [Found(reason=reason, count=len(part), cases=part) for reason, part in parts.items()]


def _sizes(kept: Sequence[Kept]) -> list[Case]:
    """Frames whose size is not what their file or the video's first frame says."""
    sized = [(frame, size, item.frames[0][2]) for item in kept for _, frame, size in item.frames]
    return [
        Case(
            reason=reason,
            where=f"{frame.file}: got {size[0]} x {size[1]}, wanted {wanted[0]} x {wanted[1]}",
            badness=0.0,
            shots=(shot(frame.file),),
        )
        for frame, size, first in sized
        for reason, wanted in ((STATED_SIZE, frame.size or size), (OTHER_SIZE, first))
        if wanted != size
    ]


def _leaked(leak: Leak) -> Case:
    one, other = leak.files
    return Case(
        reason=IN_VAL if leak.reaches_val else ELSEWHERE,
        where=f"{one} ({leak.splits[0]}) is {other} ({leak.splits[1]})",
        badness=float(leak.pairs),
        shots=(shot(one), shot(other)),
    )
