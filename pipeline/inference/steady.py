"""Crops that stay while a person moves a little, so that a running video's tokens can be kept (`dsn.streaming`).

A person's bbox changes with every frame. A crop made anew for each keyframe would make every kept token worthless, for
all frames of a window must show the same region. So a region stays until its person is about to leave it, or has become
much smaller than it; then the region of the bbox of that moment takes its place, and its window is encoded anew.
"""

from dataclasses import dataclass

from pipeline.shards.crop import PADDING, Region, region
from pipeline.shards.sample import Bbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyConfig:
    """When a region is given up."""

    margin: float
    """The bbox grown to so many times its sides must lie in the region; at most as much as a region of its own holds.
    At that most, every movement of the bbox makes a new region."""
    zoom: float
    """So many times as large as the bbox's own region the region may be, in length."""
    shift: float
    """By so many of the region's sides the bbox's centre may lie beside its own: a network knows by who is in the
    middle whom it is asked about, and somebody narrow would leave it long before they leave the region."""

    def __post_init__(self) -> None:
        """Refuse margins that even a new region would not keep, and zooms that would give up every region at once."""
        if not 1 <= self.margin <= PADDING:
            raise ValueError(f"margin: got {self.margin}, wanted 1 to {PADDING}")
        if not self.zoom >= 1:
            raise ValueError(f"zoom: got {self.zoom}, wanted at least 1")
        if not self.shift >= 0:
            raise ValueError(f"shift: got {self.shift}, wanted at least 0")


def steady_region(kept: Region | None, bbox: Bbox, *, size: tuple[int, int], config: SteadyConfig) -> Region:
    """The region for a person's next frame: the one that was kept while it still serves, else the bbox's own.

    Args:
        kept: region at the last frame; None where the person is new.
        bbox: the person's in the next frame.
        size: height and width of the crop.
        config: when the region no longer serves.
    """
    own = region(bbox, size=size)
    return kept if kept is not None and _serves(kept, bbox, own=own, size=size, config=config) else own


def _serves(kept: Region, bbox: Bbox, *, own: Region, size: tuple[int, int], config: SteadyConfig) -> bool:
    sides = (bbox[2] - bbox[0], bbox[3] - bbox[1])
    spans = (kept.spacing * (size[1] - 1), kept.spacing * (size[0] - 1))
    shifts = [abs(own.center[axis] - kept.center[axis]) for axis in (0, 1)]
    is_inside = all(shifts[axis] + config.margin * sides[axis] / 2 <= spans[axis] / 2 for axis in (0, 1))
    is_central = all(shifts[axis] <= config.shift * spans[axis] for axis in (0, 1))
    return is_inside and is_central and kept.spacing <= config.zoom * own.spacing
