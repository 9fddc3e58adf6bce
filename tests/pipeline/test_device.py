"""A device is one that torch can use here, or a refusal that says what to do."""

import pytest
import torch

from pipeline.device import usable
from pipeline.refusal import Refusal


def test_the_cpu_is_everywhere() -> None:
    assert usable("cpu", key="--device") == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gpu", "Expected one of cpu, cuda"),
        pytest.param(
            "cuda",
            "Found no NVIDIA driver",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here"),
        ),
    ],
)
def test_a_device_that_torch_cannot_use_is_refused_with_torchs_reason(name: str, problem: str) -> None:
    with pytest.raises(Refusal, match=rf"^evaluate\.device: got {name}, .*{problem}.* wanted cpu, or cuda where"):
        usable(name, key="evaluate.device")
