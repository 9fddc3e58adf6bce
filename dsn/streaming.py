"""Streaming: the poses of a running video, in which a frame goes through the backbone once while a person's crop stays.

A clip of T frames costs T passes through the backbone; but the windows of neighbouring keyframes share all frames but
one. Where they also share the crop, the tokens of the shared frames are the same numbers, and are kept.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from dsn.network import DSN
from dsn.readouts import Readouts

Person = TypeVar("Person", bound=Hashable)
Crop = TypeVar("Crop", bound=Hashable)
"""Tells which part of a frame is looked at; equal crops show equal pixels."""


def look_ahead(offsets: tuple[int, ...]) -> int:
    """By how many frames a pose comes late: none where every supporting frame lies before its keyframe."""
    return max(0, *offsets)


def supporting_frames(keyframe: int, *, offsets: tuple[int, ...], first: int, last: int) -> tuple[int, ...]:
    """The supporting frames of a keyframe among the frames `first` to `last` that there are.

    Where a wanted frame is not there, the nearest one stands in for it. That is never the keyframe itself, unless there
    is no other frame: the rule by which clips are cut from whole videos.
    """
    nearest = (min(max(keyframe + offset, first), last) for offset in offsets)
    beside = keyframe + 1 if keyframe < last else max(keyframe - 1, first)
    return tuple(beside if frame == keyframe else frame for frame in nearest)


class Runner(Generic[Person, Crop]):
    """Reads keyframes of a running video, and keeps tokens of the frames that following keyframes will need."""

    encoded: int
    """How many crops have gone through the backbone so far."""

    def __init__(
        self,
        network: DSN,
        *,
        offsets: tuple[int, ...],
        pixels: Callable[[int, Crop], Float[Tensor, "3 H W"]],
        only_final: bool,
    ) -> None:
        """Keep nothing yet.

        Args:
            network: is switched to evaluation.
            offsets: supporting frames, as in `ClipConfig`.
            pixels: gives the normalised crop of a frame, on the network's device.
            only_final: whether readouts beside the final one, with most of the heads, are left out.
        """
        self._network, self._offsets, self._pixels = network.eval(), offsets, pixels
        self._only_final = only_final
        self._crops: dict[Person, Crop] = {}
        self._tokens: dict[Person, dict[int, Float[Tensor, "N C"]]] = {}
        self.encoded = 0

    @torch.inference_mode()
    def read(self, keyframe: int, *, crops: Mapping[Person, Crop], first: int, last: int) -> Readouts:
        """The readouts of B people in a keyframe, in the order of `crops`.

        Args:
            keyframe: its position in the video; those of following calls only rise.
            crops: by person, at least one; a person whose crop is another than at the last call is encoded anew.
            first: the oldest frame that `pixels` can still give.
            last: the newest one.
        """
        frames = supporting_frames(keyframe, offsets=self._offsets, first=first, last=last)
        self._forget(crops, oldest=keyframe + min(0, *self._offsets))
        self._encode(crops, frames=(keyframe, *frames))
        kept = [self._tokens[person] for person in crops]
        shown = torch.stack([tokens[keyframe] for tokens in kept])
        stacked = torch.stack([tokens[frame] for tokens in kept for frame in frames])
        supporting = stacked.reshape(len(kept), len(frames), *stacked.shape[1:])
        if self._only_final:
            return Readouts(final=self._network.read_final(shown, supporting=supporting))
        return self._network.read(shown, supporting=supporting)

    def _forget(self, crops: Mapping[Person, Crop], *, oldest: int) -> None:
        """Drop people who are gone, tokens of another crop, and frames that no keyframe will need again."""
        stayed = [person for person, crop in crops.items() if self._crops.get(person) == crop]
        self._tokens = {
            person: {frame: tokens for frame, tokens in self._tokens[person].items() if frame >= oldest}
            for person in stayed
        }
        self._crops = dict(crops)

    def _encode(self, crops: Mapping[Person, Crop], *, frames: tuple[int, ...]) -> None:
        """Take what is missing through the backbone, all people's in one batch."""
        for person in crops:
            self._tokens.setdefault(person, {})
        missing = [
            (person, frame) for person in crops for frame in dict.fromkeys(frames) if frame not in self._tokens[person]
        ]
        if not missing:
            return
        pixels = torch.stack([self._pixels(frame, crops[person]) for person, frame in missing])
        for (person, frame), tokens in zip(missing, self._network.backbone(pixels), strict=True):
            self._tokens[person][frame] = tokens
        self.encoded += len(missing)
