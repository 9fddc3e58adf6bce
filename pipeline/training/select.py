"""The score that chooses between checkpoints: the percentage of correct keypoints (PCK) on the select split."""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import nn

from dsn.codec import decode
from dsn.config import ModelConfig
from dsn.metrics import pck_hits, rate
from dsn.network import SingleFrame
from dsn.pixels import normalize
from dsn.sight import sight
from pipeline.shards.batch import ClipBatch
from pipeline.training.step import forward
from pipeline.training.yardstick import Yardstick


@torch.inference_mode()
def select_metrics(
    network: nn.Module, batches: Iterator[ClipBatch], *, model: ModelConfig, joints: int, yardstick: Yardstick
) -> dict[str, float]:
    """PCK by a yardstick in percent, the mean over joints, of the readouts that training supervises.

    Every rank calls it with its share of the samples, which may be empty; the counts of all ranks are added up, so all
    get the same numbers.
    """
    network.eval()
    device = next(network.parameters()).device
    has = {"final"} if isinstance(network, SingleFrame) else set(sight(model))
    names = [name for name in ("final", "temporal") if name in has]
    counts = torch.zeros(len(names), 2, joints)
    for batch in batches:
        readouts = forward(network, normalize(batch.frames.to(device)), model=model)
        for row, name in enumerate(names):
            keypoints, _ = decode(
                getattr(readouts, name).float().cpu(), input_size=model.input_size, config=model.heatmap
            )
            counts[row] += torch.stack(
                pck_hits(
                    keypoints,
                    batch.keypoints,
                    visible=batch.visible,
                    unit=getattr(batch, yardstick.unit),
                    threshold=yardstick.threshold,
                )
            )
    if dist.is_initialized():
        everyone = counts.to(device)  # NCCL adds up what is on GPUs alone
        dist.all_reduce(everyone)
        counts = everyone.cpu()
    return {f"select/pck_{name}": rate(*counts[row].long()).nanmean().item() for row, name in enumerate(names)}
