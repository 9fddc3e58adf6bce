"""What decides a split's shards, beside the data."""

from dataclasses import dataclass
from typing import Literal, get_args

Split = Literal["train", "select", "val"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardConfig:
    """How clips are cropped and packed (section `shard`)."""

    margin: float
    """Sides of the stored crop in sides of the input: room for rotation, scale and shift."""
    quality: int
    """JPEG quality of stored crops, 1 to 100."""
    reach: int
    """Frames between a keyframe and the labelled frames that its neighbour bbox is interpolated from, at most."""
    samples_per_shard: int
    """The largest number of samples in one tar."""
    min_shards: int
    """The smallest number of tars of a split: at least 4 for each reading process there may be."""
    seed: int
    """Decides the order in which train and select are packed."""

    def __post_init__(self) -> None:
        """Refuse numbers that pack nothing."""
        if self.margin < 1:
            raise ValueError(f"margin: got {self.margin}, wanted at least 1")
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

    def __post_init__(self) -> None:
        """Refuse offsets that are out of order."""
        if list(self.offsets) != sorted({*self.offsets} - {0}) or not self.offsets:
            raise ValueError(f"offsets: got {self.offsets}, wanted ascending numbers other than 0")

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of a stored crop; an even number more than the input's, so that centres coincide."""
        height, width = (side + 2 * round(side * (self.shard.margin - 1) / 2) for side in self.input_size)
        return height, width

    @property
    def clip(self) -> tuple[int, ...]:
        """Offsets of the T frames of a clip, the keyframe's 0 among them."""
        return tuple(sorted((*self.offsets, 0)))
