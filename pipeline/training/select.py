"""The score that chooses between checkpoints: PCKh on the select split."""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dsn.codec import decode
from dsn.config import ModelConfig
from dsn.network import SingleFrame
from dsn.pixels import normalize
from pipeline.shards.batch import ClipBatch
from pipeline.training.step import forward


@torch.inference_mode()
def select_metrics(
    network: nn.Module, batches: Iterator[ClipBatch], *, model: ModelConfig, joints: int
) -> dict[str, float]:
    """PCKh@0.5 in percent, the mean over joints, of the readouts that training supervises.

    Every rank calls it with its share of the samples, which may be empty; the counts of all ranks are added up, so all
    get the same numbers.
    """
    network.eval()
    device = next(network.parameters()).device
    names = ("final",) if isinstance(network, SingleFrame) else ("final", "temporal")
    counts = torch.zeros(len(names) + 1, joints, dtype=torch.float64)
    for batch in batches:
        readouts = forward(network, normalize(batch.frames.to(device)), model=model)
        counted = batch.visible & batch.head_size.isfinite()[:, None]
        counts[-1] += counted.sum(0)
        for row, name in enumerate(names):
            keypoints, _ = decode(getattr(readouts, name).float().cpu(), input_size=model.input_size)
            distance = (keypoints - batch.keypoints).norm(dim=-1) / batch.head_size[:, None]
            counts[row] += ((distance <= 0.5) & counted).sum(0)
    if dist.is_initialized():
        dist.all_reduce(counts)
    return {f"select/pckh_{name}": _percent(counts[row], counts[-1]) for row, name in enumerate(names)}


def _percent(right: Tensor, labelled: Tensor) -> float:
    scored = labelled > 0
    return float(100 * (right[scored] / labelled[scored]).mean()) if bool(scored.any()) else 0.0
