from collections.abc import Callable
from dataclasses import asdict, replace
from json import dumps, loads
from typing import Any

import pytest

from dsn.config import ModelConfig, from_dict
from dsn.parts import ClipConfig
from dsn.sight import refuse_unread, sight
from pipeline.refusal import Refusal
from tests.world.networks import configs, model_config

Change = Callable[[ModelConfig], ModelConfig]


def test_the_keyframe_stands_behind_the_frames_before_it() -> None:
    assert ClipConfig(offsets=(-2, -1, 1, 2)).keyframe_position == 2
    assert ClipConfig(offsets=(-3, -2, -1)).keyframe_position == 3
    assert ClipConfig(offsets=(1,)).keyframe_position == 0


def test_grids_are_the_input_divided_by_their_stride(config: ModelConfig) -> None:
    assert config.grid_size(16) == (4, 3)
    assert config.heatmap_size == (16, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, clip=ClipConfig(offsets=())), r"clip\.offsets: got \(\), wanted at least one"),
        (lambda c: replace(c, clip=ClipConfig(offsets=(1, -1))), r"clip\.offsets: got \(1, -1\), wanted ascending"),
        (lambda c: replace(c, clip=ClipConfig(offsets=(-1, 0))), r"clip\.offsets: got \(-1, 0\), wanted no 0"),
        (lambda c: replace(c, input_size=(64, 40)), r"input_size: got \(64, 40\), wanted .* encoder\.stride \(16\)"),
        (lambda c: replace(c, input_size=(0, 48)), r"input_size: got \(0, 48\), wanted positive"),
        (lambda c: replace(c, heatmap=replace(c.heatmap, sigma=0.0)), r"heatmap\.sigma: got 0\.0, wanted more than 0"),
        (lambda c: replace(c, heatmap=replace(c.heatmap, stride=3)), r"heatmap\.stride: got 3, wanted a power of two"),
        (lambda c: replace(c, heatmap=replace(c.heatmap, stride=8)), r"backbone\.stride: got 8, wanted at least twice"),
        (lambda c: replace(c, backbone=replace(c.backbone, stride=12)), r"backbone\.stride: got 12, wanted a power"),
        (lambda c: replace(c, backbone=replace(c.backbone, width=0)), r"backbone\.width: got 0, wanted at least 1"),
        (lambda c: replace(c, encoder=replace(c.encoder, width=18)), r"encoder\.width: got 18, wanted a multiple of 4"),
        (lambda c: replace(c, encoder=replace(c.encoder, heads=0)), r"encoder\.heads: got 0, wanted at least 1"),
        (lambda c: replace(c, temporal=replace(c.temporal, blocks=0)), r"temporal\.blocks: got 0, wanted at least 1"),
        (lambda c: replace(c, visual=replace(c.visual, heads=5)), r"visual\.heads: got 5, wanted a divisor of .*24"),
        (lambda c: replace(c, head=replace(c.head, width=12)), r"head\.width: got 12, wanted a multiple of 8"),
    ],
)
def test_an_impossible_value_is_refused_by_name(config: ModelConfig, change: Change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change(config)


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("v3_2", {"temporal": {"keypoint_tokens": False, "dense_readout": False}}, "wanted at least one"),
        ("dense_only", {"temporal": {"restore": "joints"}}, "temporal.restore: got joints, wanted mean: there are no"),
        ("dense_only", {"fusion": {"mode": "keypoint_queries"}}, "fusion.mode: got keypoint_queries, wanted another"),
        ("mean_fusion", {"interaction": {"mode": "mutual"}}, "interaction.mode: got mutual, wanted none: fusion mean"),
        ("dynamic_to_static", {"interaction": {"mode": "mutual"}}, "got mutual, wanted none: fusion keypoint_queries"),
        ("single_frame", {"encoder": {"mask": {"kind": "tube"}}}, "mask.kind: got tube, wanted none: nothing"),
        ("single_frame", {"context": {"tokens": "one"}}, "context.tokens: got one, wanted none: fusion visual leaves"),
        ("causal", {"clip": {"offsets": [-1]}, "encoder": {"mask": {"kind": "frame"}}}, "got frame, wanted tube"),
        ("v3_2", {"context": {"target": "features", "patch": 4}}, "context.patch: got 4, wanted a multiple of"),
        ("v3_2", {"encoder": {"mask": {"share": 1.0}}}, "mask.share: got 1.0, wanted more than 0, less"),
        ("v3_2", {"backbone": {"drop_path": 1.0}}, "backbone.drop_path: got 1.0, wanted 0 or more, less than 1"),
    ],
)
def test_switches_that_contradict_each_other_are_refused_with_the_reason(
    preset: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refusal, match=message):
        model_config(preset, **changes)


def test_a_weight_for_a_readout_that_is_not_built_is_refused() -> None:
    model, loss = configs("token_only")

    refuse_unread(loss, model)
    with pytest.raises(ValueError, match=r"loss\.dense: got 1\.0, wanted 0: the section model builds nothing for it"):
        refuse_unread(replace(loss, dense=1.0), model)
    with pytest.raises(ValueError, match=r"loss\.masked: got 0\.1, wanted 0"):
        refuse_unread(replace(loss, masked=0.1), model)


def test_sight_follows_the_switches() -> None:
    both, keyframe, supporting = {"keyframe", "supporting"}, {"keyframe"}, {"supporting"}

    assert sight(model_config())["temporal"] == supporting
    assert sight(model_config(encoder={"inputs": "all"}))["temporal"] == both
    assert sight(model_config(visual={"blocks": 0}))["visual"] == keyframe
    assert sight(model_config(context={"tokens": "none"}, fusion={"mode": "visual"})) == {"visual": both, "final": both}
    assert sight(model_config(fusion={"mode": "temporal"}))["final"] == supporting


def test_a_config_survives_json(config: ModelConfig) -> None:
    assert from_dict(loads(dumps(asdict(config))), ModelConfig) == config


def test_unknown_and_missing_keys_are_both_named(config: ModelConfig) -> None:
    values = asdict(config)
    values["encoder"]["dept"] = values["encoder"].pop("width")

    with pytest.raises(ValueError, match=r"EncoderConfig: missing keys \['width'\], unknown keys \['dept'\]"):
        from_dict(values, ModelConfig)
