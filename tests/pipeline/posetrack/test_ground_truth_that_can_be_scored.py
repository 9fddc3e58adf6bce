"""What stages evaluate and stress would refuse after training is refused when the data is prepared."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK, Skeleton
from pipeline.evaluation.posetrack18 import NAMES
from pipeline.posetrack.index import PrepareConfig, prepare
from pipeline.posetrack.official import is_evaluated
from pipeline.refusal import Refusal
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())
VAL = "val/000009_bonn_test.json"
TOES = ("left_toe", "right_toe")
MORE = replace(POSETRACK, name="toes", joints=(*POSETRACK.joints, *TOES), sigmas=(*POSETRACK.sigmas, 0.1, 0.1))


def edit(root: Path, file: str, change: Callable[[dict[str, Any]], Any]) -> None:
    path = root / "posetrack_data/annotations" / file
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def behead(content: dict[str, Any]) -> None:
    del content["annotations"][3]["bbox_head"]


def with_toes(root: Path) -> None:
    """The same people with two joints more, none of them labelled, as data with a skeleton of its own."""
    (root / "skeleton.json").write_text(json.dumps(skeletons.to_dict(MORE)))
    for path in root.rglob("posetrack_data/annotations/*/*.json"):
        content = json.loads(path.read_text())
        content["categories"][0]["keypoints"] += TOES
        for person in content["annotations"]:
            person["keypoints"] += [0] * 6
        path.write_text(json.dumps(content))


def test_the_official_protocol_applies_to_posetrack_s_joints_in_any_order_with_or_without_ears() -> None:
    fifteen = skeleton_of(tuple(POSETRACK.joints[joint] for joint in reversed(POSETRACK.scored)))
    renamed = skeleton_of((*fifteen.joints[1:], "tail"))

    assert [is_evaluated(one) for one in (POSETRACK, fifteen)] == [True, True]
    assert [is_evaluated(one) for one in (MORE, renamed)] == [False, False]
    assert set(fifteen.joints) == set(NAMES)


def skeleton_of(joints: tuple[str, ...]) -> Skeleton:
    return Skeleton(
        name="own",
        joints=joints,
        flip_pairs=(),
        limbs=(),
        sigmas=(0.1,) * len(joints),
        scored=tuple(range(len(joints))),
        upper_body=(),
        lower_body=(),
        groups=(),
    )


def test_somebody_of_val_without_a_head_box_is_named_before_anything_is_trained(tree: Path) -> None:
    edit(tree, VAL, behead)

    with pytest.raises(Refusal, match=r"000009_bonn_test.json: frame 10000090001: bbox_head: got none for track 1"):
        prepare(tree, tree / "out", CONFIG)

    assert not (tree / "out").exists()


def test_a_track_id_that_the_evaluator_does_not_take_is_named_before_anything_is_trained(tree: Path) -> None:
    edit(tree, VAL, lambda content: content["annotations"][0].update(track_id=12345))

    with pytest.raises(Refusal, match=r"frame 10000090000: track_id: got 12345 \(1 such\), wanted less than 10000"):
        prepare(tree, tree / "out", CONFIG)


def test_heads_without_an_area_in_training_or_on_other_joints_stop_nothing(tree: Path) -> None:
    edit(tree, VAL, lambda content: content["annotations"][0].update(bbox_head=[10, 20, 0, 0]))
    edit(tree, "train/000001_mpii_train.json", behead)
    prepare(tree, tree / "out", CONFIG)

    edit(tree, VAL, behead)
    with_toes(tree)
    prepare(tree, tree / "own", CONFIG)

    assert (tree / "out" / "people.parquet").is_file()
    assert (tree / "own" / "people.parquet").is_file()
