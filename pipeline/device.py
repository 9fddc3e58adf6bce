"""Where networks compute when they are not being trained."""

import torch

from pipeline.refusal import Refusal


def usable(name: str, *, key: str) -> torch.device:
    """The device of a name, such as `cpu`, `cuda` or `cuda:1`.

    Args:
        name: as torch writes it.
        key: what the user set, for the message.

    Raises:
        Refusal: torch knows no such device, or cannot use it here.
    """
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # the latter from a torch that was built without CUDA
        problem = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
        raise Refusal(
            f"{key}: got {name}, which torch cannot use here ({problem}); wanted cpu, or cuda where there is a GPU: "
            "`python -m pipeline doctor` says what torch finds"
        ) from None
