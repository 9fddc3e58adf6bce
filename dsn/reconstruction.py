"""Reconstruction, in training only: of the keyframe by context tokens, and of supporting tokens that were hidden."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from dsn.attention import sine_cosine_grid
from dsn.config import ModelConfig
from dsn.grid import merge
from dsn.pixels import patchify
from dsn.readouts import Reconstruction

Target = Callable[[Float[Tensor, "B 3 H W"], Float[Tensor, "B N C"]], Float[Tensor, "B M P"]]
"""What is to be reconstructed of frames, from their normalised pixels and their backbone tokens."""


def build_target(config: ModelConfig, *, patch: int) -> Target:
    """The target that `context.target` names, in patches of `patch` input pixels."""
    factor, size = patch // config.backbone.stride, config.grid_size(config.backbone.stride)

    def pixels(frames: Float[Tensor, "B 3 H W"], _: Float[Tensor, "B N C"]) -> Float[Tensor, "B M P"]:
        return patchify(frames, patch=patch)

    def normalized_pixels(frames: Float[Tensor, "B 3 H W"], _: Float[Tensor, "B N C"]) -> Float[Tensor, "B M P"]:
        return _standard(patchify(frames, patch=patch))

    def features(_: Float[Tensor, "B 3 H W"], tokens: Float[Tensor, "B N C"]) -> Float[Tensor, "B M P"]:
        return _standard(merge(tokens.detach(), size=size, factor=factor))

    return {"pixels": pixels, "normalized_pixels": normalized_pixels, "features": features}[config.context.target]


def target_width(config: ModelConfig, *, patch: int) -> int:
    """P, the numbers of a patch."""
    if config.context.target == "features":
        return (patch // config.backbone.stride) ** 2 * config.backbone.width
    return 3 * patch**2


def _standard(patches: Float[Tensor, "B M P"]) -> Float[Tensor, "B M P"]:
    """Patches of zero mean and unit variance: of features, no scale is left that could shrink to please the loss."""
    return functional.layer_norm(patches, patches.shape[-1:])


def context_size(config: ModelConfig) -> int:
    """How many context tokens there are."""
    rows, columns = config.grid_size(config.context.patch)
    return {"patches": rows * columns, "one": 1, "none": 0}[config.context.tokens]


class SpreadToken(nn.Module):
    """One token to all patches: fixed positions tell it where, and an MLP makes the patch."""

    places: Tensor

    def __init__(self, width: int, *, size: tuple[int, int], out: int) -> None:
        super().__init__()
        self.register_buffer("places", sine_cosine_grid(size, width=width), persistent=False)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, out))

    def forward(self, token: Float[Tensor, "B 1 D"]) -> Float[Tensor, "B M P"]:
        """Every patch."""
        patches: Tensor = self.mlp(token + self.places)
        return patches


def build_context_readout(config: ModelConfig) -> nn.Module | None:
    """From context tokens to the keyframe's patches; None where there are no such tokens."""
    patch, width = config.context.patch, config.encoder.width
    out = target_width(config, patch=patch)
    match config.context.tokens:
        case "patches":
            return nn.Linear(width, out)
        case "one":
            return SpreadToken(width, size=config.grid_size(patch), out=out)
        case "none":
            return None


class TokenMask(nn.Module):
    """Hides supporting tokens in training: a learned token stands in their places (arXiv 2502.10616).

    They are hidden from the encoder, from the restored grid and from the visual stream alike, in cells of the coarser
    of encoder and backbone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        cell = max(config.encoder.stride, config.backbone.stride)
        self.cells = config.grid_size(cell)
        self.backbone_factor, self.encoder_factor = cell // config.backbone.stride, cell // config.encoder.stride
        self.share = config.encoder.mask.share
        self.draw = {"tube": draw_tubes, "frame": draw_frames}[config.encoder.mask.kind]
        self.token = nn.Parameter(torch.randn(config.backbone.width) * 0.02)

    def forward(
        self, supporting: Float[Tensor, "B S N C"]
    ) -> tuple[Float[Tensor, "B S N C"], Bool[Tensor, "B S n"] | None]:
        """Tokens of which some are hidden, and which of the encoder's are; in evaluation none."""
        if not self.training:
            return supporting, None
        shape = (*supporting.shape[:2], self.cells[0] * self.cells[1])
        hidden = self.draw(shape, share=self.share, device=supporting.device)
        fine = self._spread(hidden, factor=self.backbone_factor)
        shown = torch.where(fine[..., None], self.token.to(supporting.dtype), supporting)
        return shown, self._spread(hidden, factor=self.encoder_factor)

    def _spread(self, hidden: Bool[Tensor, "B S cells"], *, factor: int) -> Bool[Tensor, "B S n"]:
        """The same on a grid that is `factor` times as fine."""
        grid = hidden.reshape(*hidden.shape[:2], *self.cells)
        return grid.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3).flatten(2)


def draw_tubes(shape: tuple[int, int, int], *, share: float, device: torch.device) -> Bool[Tensor, "B S cells"]:
    """Of every clip the same cells in each frame."""
    clips, frames, cells = shape
    return _lowest(torch.rand(clips, cells, device=device), share=share)[:, None].expand(-1, frames, -1)


def draw_frames(shape: tuple[int, int, int], *, share: float, device: torch.device) -> Bool[Tensor, "B S cells"]:
    """Of every clip whole frames."""
    clips, frames, cells = shape
    return _lowest(torch.rand(clips, frames, device=device), share=share)[..., None].expand(-1, -1, cells)


def _lowest(values: Float[Tensor, "B L"], *, share: float) -> Bool[Tensor, "B L"]:
    """The share of a row's places that hold its lowest values: at least one, and never all."""
    length = values.shape[1]
    count = min(max(1, round(share * length)), length - 1)
    return values.argsort(dim=1).argsort(dim=1) < count


class NoMask(nn.Module):
    """Hides nothing."""

    def forward(self, supporting: Float[Tensor, "B S N C"]) -> tuple[Float[Tensor, "B S N C"], None]:
        """The tokens."""
        return supporting, None


def build_mask(config: ModelConfig) -> TokenMask | NoMask:
    """What hides supporting tokens."""
    return TokenMask(config) if config.masks else NoMask()


class Reconstructions(nn.Module):
    """What was reconstructed, beside what it should be."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        side = config.encoder.stride
        self.keyframe_target = build_target(config, patch=config.context.patch)
        self.supporting_target = build_target(config, patch=side)
        self.unmask = nn.Linear(config.encoder.width, target_width(config, patch=side)) if config.masks else None

    def of_keyframe(
        self, guess: Float[Tensor, "B M P"] | None, *, pixels: Float[Tensor, "B 3 H W"], tokens: Float[Tensor, "B N C"]
    ) -> Reconstruction | None:
        """The keyframe, as the context tokens guess it; None where there are none."""
        if guess is None:
            return None
        counted = torch.ones(guess.shape[:2], dtype=torch.bool, device=guess.device)
        return Reconstruction(guess=guess, truth=self.keyframe_target(pixels, tokens), counted=counted)

    def of_supporting(
        self,
        encoded: Float[Tensor, "B T n D"] | None,
        hidden: Bool[Tensor, "B S n"] | None,
        *,
        pixels: Float[Tensor, "B S 3 H W"],
        tokens: Float[Tensor, "B S N C"],
    ) -> Reconstruction | None:
        """The supporting frames' hidden tokens, as the encoder guesses them; None where none are hidden."""
        if encoded is None or hidden is None or self.unmask is None:
            return None
        truth = self.supporting_target(pixels.flatten(0, 1), tokens.flatten(0, 1))
        guess: Tensor = self.unmask(encoded[:, : hidden.shape[1]].flatten(1, 2))
        return Reconstruction(guess=guess, truth=truth.reshape(guess.shape), counted=hidden.flatten(1))
