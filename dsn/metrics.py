"""Metric formulae."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def pck_hits(
    keypoints: Float[Tensor, "B K 2"],
    truth: Float[Tensor, "B K 2"],
    *,
    visible: Bool[Tensor, "B K"],
    unit: Float[Tensor, " B"],
    threshold: float,
) -> tuple[Int[Tensor, " K"], Int[Tensor, " K"]]:
    """For each joint, how many keypoints are within `threshold` units of the truth, and how many were counted.

    All in the same pixels. The unit is a length of each person: of the head for PCKh, of the bbox for PCK. Counted are
    the visible joints of people whose unit is known (not NaN). Both numbers add up over batches and processes; `rate`
    divides them.
    """
    counted = visible & ~unit.isnan()[:, None]
    distances = (keypoints - truth).norm(dim=-1) / unit[:, None]
    return (counted & (distances <= threshold)).sum(dim=0), counted.sum(dim=0)


def rate(hits: Int[Tensor, " K"], counted: Int[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Hits as a share of those counted, in percent; NaN for a joint that was never counted."""
    return torch.where(counted > 0, 100 * hits / counted.clamp(min=1), torch.nan)
