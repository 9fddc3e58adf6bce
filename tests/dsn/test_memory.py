"""What training keeps for its backward pass, and in which arithmetic it runs."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from dsn.config import ModelConfig
from dsn.network import DSN, build
from dsn.skeleton import POSETRACK
from tests.world.networks import CONVOLUTIONAL, TRANSFORMER, model_config

Clips = tuple[Tensor, Tensor]


def _kept(network: nn.Module, clips: Clips) -> list[Tensor]:
    """Tensors that the forward pass saves, the parameters apart; several may be views of one memory."""
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: list[Tensor] = []

    def keep(saved: Tensor) -> Tensor:
        if saved.untyped_storage().data_ptr() not in own:
            kept.append(saved)
        return saved

    with saved_tensors_hooks(keep, lambda saved: saved):
        network(*clips)
    return kept


def _bytes(tensors: list[Tensor]) -> int:
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def _matrices(preset: str) -> list[tuple[int, ...]]:
    """Shapes of what is kept with an axis for either side's tokens, of which a frame has 48; images apart."""
    network = build(model_config(preset, input_size=[128, 96], backbone=TRANSFORMER), POSETRACK)
    frames = torch.randn(1, 5, 3, 128, 96)
    shapes = [tuple(tensor.shape) for tensor in _kept(network, (frames[:, 0], frames[:, 1:]))]
    return [shape for shape in shapes if len(shape) == 4 and min(shape[2:]) >= 48 and shape[1] != 3]


@pytest.mark.parametrize("preset", ["v3_2", "dsn", "frames_context", "mutual"])
def test_no_attention_keeps_a_matrix_of_tokens_by_tokens(preset: str) -> None:
    assert _matrices(preset) == []


def test_and_plain_attention_would(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(query: Tensor, key: Tensor, value: Tensor, **_: object) -> Tensor:
        weights: Tensor = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        return weights @ value

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", plain)

    assert (1, 2, 4 * 48, 4 * 48) in _matrices("v3_2")  # the encoder's joint block


@pytest.mark.parametrize("backbone", [CONVOLUTIONAL, TRANSFORMER], ids=lambda backbone: backbone["name"])
def test_checkpointing_changes_memory_and_no_number(backbone: dict[str, str], clips: Clips) -> None:
    config = model_config(backbone=backbone, clip={"offsets": [-2, -1, 1]})
    networks = [_seeded(replace(config, checkpointing=switch)) for switch in (False, True)]

    kept = [_bytes(_kept(network, clips)) for network in networks]
    gradients = [_gradients(network, clips) for network in networks]

    assert kept[1] < 0.7 * kept[0]
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def _seeded(config: ModelConfig) -> DSN:
    torch.manual_seed(0)
    return build(config, POSETRACK)


def _gradients(network: DSN, clips: Clips) -> dict[str, Tensor]:
    readouts = network(*clips)
    torch.autograd.backward(readouts.final.square().sum() + readouts.dense.square().sum())
    return {name: value.grad for name, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("preset", ["v3_2", "dsn", "semantic_masking", "dynamic_to_static"])
def test_bf16_answers_about_what_fp32_answers_and_has_finite_gradients(preset: str) -> None:
    network = _seeded(model_config(preset))
    frames = torch.randn(2, 5, 3, 64, 48, generator=torch.Generator().manual_seed(3))

    exact = network.eval()(frames[:, 0], frames[:, 1:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(frames[:, 0], frames[:, 1:])
        trained = network.train()(frames[:, 0], frames[:, 1:])
    torch.autograd.backward(trained.final.float().square().sum() + trained.keypoint.float().square().sum())

    assert (rough.final.float() - exact.final).abs().max() < 0.1 * exact.final.abs().max()
    gradients = [value.grad for value in network.parameters() if value.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
