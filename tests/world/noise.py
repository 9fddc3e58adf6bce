"""A tiny network, and clips of noise to train it on."""

from collections.abc import Iterator

import torch

from dsn.skeleton import POSETRACK
from pipeline.shards.batch import ClipBatch
from pipeline.shards.sample import ClipSample, make_key
from pipeline.training.config import TrainConfig
from pipeline.training.recipe import Recipe
from pipeline.training.yardstick import HEADS
from tests.world.networks import configs


def tiny_recipe() -> Recipe:
    """Eight steps of a network of one block."""
    model, loss = configs(
        input_size=[64, 64],
        clip={"offsets": [-1, 1]},
        backbone={"name": "test_vit", "stride": 16, "width": 64},
        encoder={"width": 32, "mlp_ratio": 1, "divided_blocks": 0},
        visual={"mlp_ratio": 1},
        head={"width": 8},
    )
    train = TrainConfig(
        seed=3,
        steps=8,
        batch_size=2,
        micro_batch=None,
        learning_rate=1e-3,
        backbone_rate=0.5,
        layer_decay=1.0,
        weight_decay=0.01,
        warmup_steps=1,
        decay="cosine",
        decay_at=(),
        decay_factor=0.1,
        clip_norm=1.0,
        ema_decay=0.5,
        precision="fp32",
        deterministic=False,
        compile=False,
        max_skipped_share=0.0,
        gradient_shares=False,
        log_every=2,
        evaluate_every=4,
        checkpoint_every=3,
    )
    return Recipe(model=model, loss=loss, train=train, skeleton=POSETRACK, yardstick=HEADS)


def _sample(person: int) -> ClipSample:
    return ClipSample(
        key=make_key("clip", frame=5, person=person),
        video="clip",
        frame=5,
        frame_id=5,
        person=person,
        track_id=person,
        keypoints=((0.0, 0.0, 0.0),) * 17,
        bbox=(0.0, 0.0, 64.0, 64.0),
        neighbour_bbox=None,
        head_size=10.0,
        to_source=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        frames_used=(4, 5, 6),
    )


class Noise:
    """Four steps an epoch of noise with random keypoints, each a function of (epoch, step)."""

    shares = 1
    steps_per_epoch = 4

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[ClipBatch, ...]]:
        for step in range(first_step, self.steps_per_epoch):
            yield (self.batch(100 * epoch + step),)

    def select(self) -> Iterator[ClipBatch]:
        yield self.batch(7)

    @staticmethod
    def batch(seed: int, *, count: int = 2) -> ClipBatch:
        generator = torch.Generator().manual_seed(seed)
        return ClipBatch(
            keys=tuple(_sample(person).key for person in range(count)),
            frames=torch.randint(0, 256, (count, 3, 3, 64, 64), dtype=torch.uint8, generator=generator),
            keypoints=60 * torch.rand(count, 17, 2, generator=generator),
            visible=torch.ones(count, 17, dtype=torch.bool),
            to_source=torch.eye(2, 3).expand(count, 2, 3),
            head_size=torch.full((count,), 10.0),
            bbox_size=torch.full((count,), 30.0),
            is_spoilt=torch.zeros(count, dtype=torch.bool),
            samples=tuple(_sample(person) for person in range(count)),
        )
