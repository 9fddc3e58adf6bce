"""The visual stream: the keyframe's features, enhanced with the supporting frames."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import CrossBlock, Stack
from dsn.config import ModelConfig


class VisualStream(nn.Module):
    """Keyframe tokens ask; the supporting frames' tokens, averaged over time or all of them, answer.

    What is added to the keyframe's tokens starts at zero: an untrained stream is the single-frame network.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        config, width = model.visual, model.backbone.width
        context_width = model.encoder.width if config.source == "encoder" else width
        block = partial(CrossBlock, width, context_width=context_width, heads=config.heads, mlp_ratio=config.mlp_ratio)
        self.blocks = Stack([block() for _ in range(config.blocks)], checkpointing=model.checkpointing)
        self.gather = CONTEXTS[config.context]

    def forward(
        self, keyframe: Float[Tensor, "B N C"], *, supporting: Float[Tensor, "B S n D"]
    ) -> Float[Tensor, "B N C"]:
        """Enhanced keyframe tokens; `supporting` are the encoder's or the backbone's."""
        enhanced: Tensor = self.blocks(keyframe, context=self.gather(supporting))
        return enhanced


def time_mean(tokens: Float[Tensor, "B S n D"]) -> Float[Tensor, "B n D"]:
    """One token a place."""
    return tokens.mean(dim=1)


def every_frame(tokens: Float[Tensor, "B S n D"]) -> Float[Tensor, "B L D"]:
    """All tokens of all frames, as one sequence."""
    return tokens.flatten(1, 2)


CONTEXTS = {"mean": time_mean, "frames": every_frame}
"""What a sequence is made of, by the switch that says so."""
