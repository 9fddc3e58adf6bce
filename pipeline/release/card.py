"""The model card: what a version is, shown by MLflow as its description."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.locks import alone
from pipeline.tracking.registry import Version, describe

MEASURED = "## Measured"
"""The heading of the part that stages evaluate, stress and promote fill in."""
CUT = " ... (cut off; promotion.json and the tags hold all of it)\n"
LONGEST = 5000
"""Characters that MLflow's databases have room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardConfig:
    """What nobody but its maker can say about a model (section `card`)."""

    data: str
    """What it is trained on, in a few words."""
    licence: str
    """Of the data."""
    use: str
    """What it is meant for."""
    limits: str
    """What it is not meant for, and where it fails."""

    def __post_init__(self) -> None:
        """Refuse texts that say nothing, or more than there is room for."""
        for name in ("data", "licence", "use", "limits"):
            if not 0 < len(getattr(self, name)) <= 500:
                raise ValueError(f"{name}: got {len(getattr(self, name))} characters, wanted 1 to 500")


def card(config: CardConfig, *, name: str, trained: Mapping[str, Any], network: Mapping[str, Any], joints: int) -> str:
    """The card at registration, as Markdown.

    Args:
        config: what its maker says.
        name: the registered model's.
        trained: run.json of the training.
        network: the section `model` that built it.
        joints: how many it finds.
    """
    best, yardstick, tags = trained["best"], trained["yardstick"], trained["tags"]
    scores = ", ".join(f"{key.removeprefix('select/')} {value:.1f}" for key, value in best.items() if "select/" in key)
    frames = 1 + len(network["clip"]["offsets"])
    size = " x ".join(map(str, network["input_size"]))
    hashes = "\n".join(f"- {key}: {value}" for key, value in sorted(tags.items()) if _is_hash(key))
    hardware = "; ".join(tags[key] for key in ("hardware", "device") if key in tags) or "not recorded"
    backbone = network["backbone"]["name"]
    return _fitting(f"""# {name}

Finds {joints} joints of each person at the middle of {frames} frames; crops of {size} pixels, backbone {backbone}.

## Data

{config.data}. Licence: {config.licence}.

## Training

MLflow run {trained["run_id"]}, {trained["samples"]} samples; kept at step {best["step"]:.0f} for its score on held-out
training videos ({yardstick["name"]}): {scores}. Hardware: {hardware}.

{MEASURED}

Not yet: stages evaluate, stress and promote fill this in.

## Intended use and limits

{config.use} {config.limits}

## Hashes

{hashes}
""")


def _is_hash(key: str) -> bool:
    return key.startswith(("data.", "dvc.out.", "manifest.")) or key in {"git.sha", "config.sha256"}


def send(tracking: TrackingConfig, version: Version, text: str) -> None:
    """Let a version that is registered already have this card, if it has another one.

    Raises:
        Refusal: the server forbids it, or went away in the middle of it.
    """
    with alone(tracking):
        describe(tracking, version=version.version, change=partial(edited, card=text))


def edited(text: str, *, card: str) -> str:
    """A card with the measured part of the one before it. A text that is no card stays as it is."""
    _, heading, rest = text.partition(f"{MEASURED}\n")
    if text and not heading:
        return text
    return completed(card, measured=rest.partition("\n## ")[0].strip("\n")) if heading else card


def completed(text: str, *, measured: str) -> str:
    """A card with what was measured; what stood there before is gone. A text that is no card stays as it is.

    What there is no room for is cut off, and the card says so.
    """
    before, heading, rest = text.partition(f"{MEASURED}\n")
    if not heading:
        return text
    _, following, after = rest.partition("\n## ")
    room = LONGEST - len(before) - len(heading) - len(following) - len(after) - len(CUT) - 2
    shown = measured if len(measured) <= room else f"{measured[:room]}{CUT}"
    return f"{before}{heading}\n{shown.rstrip()}\n{following}{after}"


def _fitting(text: str) -> str:
    if len(text) > LONGEST:
        raise Refusal(
            f"card: got {len(text)} characters, wanted at most {LONGEST}; shorten section card of params.yaml"
        )
    return text
