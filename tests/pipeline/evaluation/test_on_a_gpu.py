"""Networks on a GPU are shown frames that lie in the machine's memory; PyTorch's imagined GPU tells who forgot it."""

from copy import deepcopy

import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from dsn.checkpoint import Loaded
from pipeline.evaluation.methods import Networks, look, support
from pipeline.evaluation.predict import read

KEYS = ("a", "b")


def imagine_on_gpu(network: nn.Module) -> None:
    """Give it weights that have a shape and a device, and no values; call it under `FakeTensorMode`."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is not None:
                    held[name] = torch.empty(value.shape, dtype=value.dtype, device="cuda")  # type: ignore[assignment]


def test_every_method_meets_its_frames_on_the_networks_device(loaded: tuple[Loaded, Loaded]) -> None:
    dual, single = loaded
    first, second, third = (deepcopy(network) for network in (dual.network, single.network, dual.network))
    networks = Networks(dual=first, single=second, model=dual.config, stream=third)  # type: ignore[arg-type]
    with FakeTensorMode():
        for network in (first, second, third):
            imagine_on_gpu(network)
        clip = frames(dual)

        watched = support(networks, clip[:, 1:], keys=KEYS)
        maps = look(networks, clip[:, 0], watched=watched)
        answers = [read(network, clip, model=dual.config) for network in (first, second)]

    assert {found.device.type for found in maps.values()} == {"cuda"}
    assert {"final", "shuffled", "cut", "still", "single_stream", "single_frame"} <= set(maps)
    assert {answer.final.device.type for answer in answers} == {"cuda"}


def frames(model: Loaded) -> UInt8[Tensor, "2 T 3 H W"]:
    return torch.zeros((len(KEYS), 1 + len(model.config.clip.offsets), 3, *model.config.input_size), dtype=torch.uint8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_what_the_cpu_finds(loaded: tuple[Loaded, Loaded]) -> None:
    dual, _ = loaded
    height, width = dual.config.input_size
    clip = torch.randint(0, 256, (2, 1 + len(dual.config.clip.offsets), 3, height, width), dtype=torch.uint8)
    wanted = read(dual.network, clip, model=dual.config).final

    found = read(deepcopy(dual.network).cuda(), clip, model=dual.config).final

    assert torch.allclose(found.cpu(), wanted, atol=1e-3)
