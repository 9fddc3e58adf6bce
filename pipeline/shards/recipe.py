"""What decides a split's shards, beside the data."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.shards.border import Views, border_of

Split = Literal["train", "select", "val"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardConfig:
    """How clips are cropped and packed (section `shard`)."""

    coverage: float
    """Share of the pixels of training views, on average, that stored crops have around the input's: decides the border
    that `reader.augment` needs."""
    quality: int
    """JPEG quality of stored crops, 1 to 100."""
    reach: int
    """Frames between a keyframe and the labelled frames that its neighbour bbox is interpolated from, at most."""
    samples_per_shard: int
    """The largest number of samples in one tar."""
    min_shards: int
    """The smallest number of tars of a split: at least 4 for each process that reads, which is checked against
    `cluster.workers` and `reader.workers`, not derived from them, so that shards do not depend on the machine."""
    seed: int
    """Decides the order in which train and select are packed."""

    def __post_init__(self) -> None:
        """Refuse numbers that pack nothing."""
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage: got {self.coverage}, wanted more than 0 and at most 1")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality: got {self.quality}, wanted 1 to 100")
        for name in ("reach", "samples_per_shard", "min_shards"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a split's shards beside the data."""

    shard: ShardConfig
    input_size: tuple[int, int]
    """Height and width that the network sees."""
    offsets: tuple[int, ...]
    """Positions of the supporting frames, relative to the keyframe; ascending, without 0."""
    views: Views
    """How training varies what it reads."""

    def __post_init__(self) -> None:
        """Refuse offsets that are out of order."""
        if list(self.offsets) != sorted({*self.offsets} - {0}) or not self.offsets:
            raise ValueError(f"offsets: got {self.offsets}, wanted ascending numbers other than 0")

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of a stored crop: the input's and the border that training views need."""
        border = border_of(self.views, size=self.input_size, coverage=self.shard.coverage)
        return self.input_size[0] + 2 * border, self.input_size[1] + 2 * border

    @property
    def clip(self) -> tuple[int, ...]:
        """Offsets of the T frames of a clip, the keyframe's 0 among them."""
        return tuple(sorted((*self.offsets, 0)))
