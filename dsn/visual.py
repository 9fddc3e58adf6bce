"""The visual stream: the keyframe's features, enhanced with the supporting frames."""

from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import Attention, Mlp, zero
from dsn.config import VisualConfig


class VisualStream(nn.Module):
    """Keyframe tokens ask; the supporting frames' encoder tokens, averaged over time, answer.

    What is added to the keyframe's tokens starts at zero: an untrained stream is the single-frame network.
    """

    def __init__(self, config: VisualConfig, *, width: int, context_width: int) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(context_width)
        self.attention = Attention(width, context_width=context_width, heads=config.heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, ratio=config.mlp_ratio)
        zero(self.attention.out)
        zero(self.mlp.out)

    def forward(self, keyframe: Float[Tensor, "B N C"], *, encoded: Float[Tensor, "B S n D"]) -> Float[Tensor, "B N C"]:
        """Enhanced keyframe tokens."""
        context = self.context_norm(encoded.mean(dim=1))
        tokens = keyframe + self.attention(self.query_norm(keyframe), context)
        out: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return out
