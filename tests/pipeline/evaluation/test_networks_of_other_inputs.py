"""What is compared in the stress test is shown the same clips, and its heatmaps are read alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from dsn.checkpoint import Loaded, save
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.artifacts import sha256
from pipeline.evaluation.stress import Data, stress
from pipeline.evaluation.stress_config import StreamConfig, StressConfig
from pipeline.refusal import Refusal

CONFIG = StressConfig(
    kinds=("black",),
    severities=(3,),
    targets=("keyframe",),
    strides=(1,),
    single_stream=None,
    seed=0,
    batch_size=16,
    max_samples=1,
    draws=5,
    examples=0,
    device="cpu",
)


def stress_with(model: Loaded, control: Loaded, packed: Path, *, out: Path, stream: Loaded | None = None) -> None:
    """Put a network to the test, beside a single stream if one is given."""
    known = None
    if stream is not None:
        save(out / "stream", stream.network, config=stream.config, skeleton=stream.skeleton)
        known = StreamConfig(folder=out / "stream", sha256=sha256(out / "stream" / "network.safetensors"))
    data = Data(index=packed / "index", root=packed, val=packed / "val")
    stress(replace(CONFIG, single_stream=known), model, control, data=data, out=out)


def test_networks_in_each_others_place_are_refused(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path) -> None:
    dual, single = loaded

    with pytest.raises(Refusal, match="got SingleFrame and DSN, wanted a registered DSN and a SingleFrame control"):
        stress_with(single, dual, packed, out=tmp_path)


def test_a_control_whose_heatmaps_are_encoded_otherwise_is_refused(
    packed: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path
) -> None:
    dual, single = loaded
    other = replace(dual.config, heatmap=replace(dual.config.heatmap, encoding="gaussian"))
    stream = Loaded(network=build(other, POSETRACK), config=other, skeleton=POSETRACK)

    with pytest.raises(Refusal, match=r"^control: got a network of other clips, crops or heatmaps"):
        stress_with(dual, replace(single, config=other), packed, out=tmp_path)
    with pytest.raises(Refusal, match=r"^stress\.single_stream: got a network of other clips, crops or heatmaps"):
        stress_with(dual, single, packed, out=tmp_path, stream=stream)


def test_a_single_stream_of_other_joints_is_refused(
    packed: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path
) -> None:
    dual, single = loaded
    other = replace(dual, skeleton=replace(POSETRACK, joints=("snout", *POSETRACK.joints[1:])))

    with pytest.raises(Refusal, match=r"they differ in the joints \['nose', 'snout'\]"):
        stress_with(dual, single, packed, out=tmp_path, stream=other)
