import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dsn import checkpoint
from dsn.config import ModelConfig
from dsn.network import DSN, SingleFrame, build, build_single_frame
from dsn.parts import BackboneConfig
from dsn.skeleton import POSETRACK


def test_a_dual_stream_network_comes_back_as_it_was(
    config: ModelConfig,
    backbone: BackboneConfig,
    clips: tuple[Tensor, Tensor],
    stir: Callable[[nn.Module], None],
    tmp_path: Path,
) -> None:
    config = replace(config, backbone=backbone)
    network = build(config, POSETRACK)
    stir(network)

    checkpoint.save(tmp_path / "model", network, config=config, skeleton=POSETRACK)
    loaded = checkpoint.load(tmp_path / "model")

    assert isinstance(loaded.network, DSN)
    assert not loaded.network.training
    assert (loaded.config, loaded.skeleton) == (config, POSETRACK)
    assert torch.equal(loaded.network(*clips).final, network.eval()(*clips).final)


def test_a_single_frame_network_comes_back_as_it_was(
    config: ModelConfig, clips: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    network = build_single_frame(config, POSETRACK)

    checkpoint.save(tmp_path, network, config=config, skeleton=POSETRACK)
    loaded = checkpoint.load(tmp_path)

    assert isinstance(loaded.network, SingleFrame)
    assert torch.equal(loaded.network(clips[0]).final, network.eval()(clips[0]).final)


def test_the_same_network_is_written_as_the_same_bytes(config: ModelConfig, tmp_path: Path) -> None:
    network = build(config, POSETRACK)

    for name in ("one", "other"):
        checkpoint.save(tmp_path / name, network, config=config, skeleton=POSETRACK)

    for file in ("network.safetensors", "model.json", "skeleton.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def _change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    weights = load_file(folder / "network.safetensors")
    change(weights)
    save_file(weights, folder / "network.safetensors")


def test_missing_and_unexpected_weights_are_both_named(config: ModelConfig, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, build(config, POSETRACK), config=config, skeleton=POSETRACK)
    _change_weights(tmp_path, lambda weights: weights.update(stray=weights.pop("temporal.keypoint_tokens")))

    with pytest.raises(
        ValueError, match=r"missing weights \['temporal.keypoint_tokens'\], unexpected weights \['stray'"
    ):
        checkpoint.load(tmp_path)


def test_weights_of_another_shape_are_named(config: ModelConfig, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, build(config, POSETRACK), config=config, skeleton=POSETRACK)
    _change_weights(tmp_path, lambda weights: weights.update({"encoder.time": torch.zeros(2, 16)}))

    with pytest.raises(ValueError, match=r"got other shapes than the network's for \['encoder.time'\]"):
        checkpoint.load(tmp_path)


def test_an_unknown_kind_of_network_is_refused(config: ModelConfig, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, build_single_frame(config, POSETRACK), config=config, skeleton=POSETRACK)
    described = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(described | {"kind": "triple"}))

    with pytest.raises(ValueError, match=r"kind: got 'triple', wanted one of \['dual', 'single_frame'\]"):
        checkpoint.load(tmp_path)
