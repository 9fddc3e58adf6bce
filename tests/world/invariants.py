"""Checks that hold of any network that reads clips; each says what is wrong with one."""

from collections.abc import Callable

import torch
from torch import Tensor

Maps = dict[str, Tensor]
"""Heatmaps (B, ..., h, w) by name of the readout."""
Reader = Callable[[Tensor, Tensor], Maps]
"""From keyframes (B, ...) and their supporting frames (B, S, ...) to heatmaps."""


def seen_by(read: Reader, keyframe: Tensor, supporting: Tensor) -> dict[str, set[str]]:
    """By readout, which of `keyframe` and `supporting` it depends on: in a single bit, or by any gradient."""
    frames = {"keyframe": keyframe.requires_grad_(), "supporting": supporting.requires_grad_()}
    before = _read(read, **frames)
    seen = {name: _reached(maps, frames) for name, maps in before.items()}
    for frame, shown in frames.items():
        with torch.no_grad():
            after = _read(read, **(frames | {frame: 3 * shown.flip(0)}))
        for name, maps in after.items():
            seen[name] |= set() if torch.equal(maps, before[name]) else {frame}
    return seen


def batch_gap(read: Reader, keyframe: Tensor, supporting: Tensor) -> dict[str, float]:
    """By readout, how far the last clip's heatmaps are from what they are alone, where that is more than floats err."""
    with torch.no_grad():
        together, alone = read(keyframe, supporting), read(keyframe[-1:], supporting[-1:])
    gaps = {name: (together[name][-1:] - maps).abs().max().item() for name, maps in alone.items()}
    return {name: gap for name, gap in gaps.items() if gap > 1e-5 * max(1.0, alone[name].abs().max().item())}


def misplaced(read: Callable[[Tensor], Maps], tokens: Tensor, *, size: tuple[int, int]) -> dict[str, list[int]]:
    """By readout, tokens of the grid whose place in the heatmaps is moved most by another token than itself.

    A neighbour is let pass: a deconvolution spreads a token over more cells than its own.
    """
    leaf = tokens.requires_grad_()
    wrong: dict[str, list[int]] = {}
    for name, maps in read(leaf).items():
        down, across = maps.shape[-2] // size[0], maps.shape[-1] // size[1]
        for place in (0, size[1] - 1, tokens.shape[1] // 2, tokens.shape[1] - 2):
            row, column = divmod(place, size[1])
            cells = maps[..., row * down : (row + 1) * down, column * across : (column + 1) * across]
            (gradient,) = torch.autograd.grad(cells.square().sum(), leaf, retain_graph=True)
            found = divmod(int(gradient.abs().sum(dim=(0, 2)).argmax()), size[1])
            if max(abs(found[0] - row), abs(found[1] - column)) > 1:
                wrong.setdefault(name, []).append(place)
    return wrong


def order_gap(read: Reader, keyframe: Tensor, supporting: Tensor) -> dict[str, float]:
    """By readout, how far its heatmaps move when supporting frames change places, in standard deviations."""
    with torch.no_grad():
        before, after = read(keyframe, supporting), read(keyframe, supporting.roll(1, dims=1))
    return {name: ((maps - after[name]).abs().max() / maps.std()).item() for name, maps in before.items()}


def _reached(maps: Tensor, frames: dict[str, Tensor]) -> set[str]:
    """The frames that have a gradient other than zero."""
    total = maps.square().sum()
    found = torch.autograd.grad(total, list(frames.values()), retain_graph=True, materialize_grads=True)
    return {name for name, gradient in zip(frames, found, strict=True) if gradient.abs().max() > 0}


def _read(read: Reader, *, keyframe: Tensor, supporting: Tensor) -> Maps:
    torch.manual_seed(0)  # what training hides is drawn anew in every pass
    return read(keyframe, supporting)
