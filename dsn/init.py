"""How weights start: the schemes of torch, timm and MAE for linear layers."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from dsn.attention import ZeroLinear

SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    "timm": partial(nn.init.trunc_normal_, std=0.02),
    "mae": nn.init.xavier_uniform_,
}
"""What fills a linear layer's weight; `torch` leaves it as torch has it (Kaiming's uniform)."""


def initialise(network: nn.Module, scheme: str) -> None:
    """Fill linear layers outside the backbone, biases with zero; layers that start at zero stay there."""
    if scheme not in SCHEMES:
        return
    for name, module in network.named_modules():
        is_filled = isinstance(module, nn.Linear) and not isinstance(module, ZeroLinear)
        if is_filled and not name.startswith("backbone."):
            SCHEMES[scheme](module.weight)
            nn.init.zeros_(module.bias)
