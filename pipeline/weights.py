"""Published weights as a network that training can start from: the verb `import-weights`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch

from dsn import checkpoint
from dsn.adoption import Adoption, adopt
from dsn.config import ModelConfig
from dsn.network import build_single_frame
from dsn.pixels import IMAGENET, PixelScale
from dsn.published import COCO, read, translate
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.artifacts import resolved, write_json
from pipeline.refusal import Refusal
from pipeline.training.start import digest

JOINTS = {"coco": COCO, "posetrack": POSETRACK.joints}
"""Orders of channels that published networks have."""
Channels = tuple[float, float, float]
"""A number for red, green and blue each."""


def import_weights(
    file: Path,
    out: Path,
    *,
    params_file: Path,
    joints: Literal["coco", "posetrack"],
    new: Sequence[str],
    pixels: PixelScale | None = None,
) -> Adoption:
    """Write into `out` a single-frame network with PoseTrack's joints, and what was taken over, as import.json.

    Args:
        file: a .safetensors or PyTorch file.
        out: a folder, made if absent.
        params_file: its `model` section says which network; random weights of what is new are those of seed 0.
        joints: the order of the published channels.
        new: names, or beginnings of names, of weights that may keep random values.
        pixels: those that the weights were trained on; None: what the publisher is known to have used.

    Raises:
        Refusal: the file cannot be read, is of another network, or would leave weights random that are not `new`; or
            its publisher used pixels of several scales, or of one that the network cannot be changed to.
    """
    model = params.load(params_file, "model", into=ModelConfig)
    try:
        published = translate(read(file))
        torch.manual_seed(0)
        network = build_single_frame(model, POSETRACK)
        adoption = adopt(
            network, published, config=model, skeleton=POSETRACK, joints=JOINTS[joints], new=new, pixels=pixels
        )
    except (OSError, ValueError) as error:
        raise Refusal(f"{file}: {error}") from None
    checkpoint.save(out, network, config=model, skeleton=POSETRACK)
    config = {**resolved(model=model), "joints": joints, "new": [*new]}
    write_json(out / "import.json", {"file": file.name, **asdict(adoption), "config": config})
    return adoption


def pixel_scale(mean: Channels | None, std: Channels | None) -> PixelScale | None:
    """What was asked for; None where nothing was.

    Raises:
        Refusal: one comes without the other, or they are no scale.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise Refusal("--mean and --std: got one of them, wanted both or neither")
    try:
        return PixelScale(mean=mean, std=std)
    except ValueError as error:
        raise Refusal(f"--{error}") from None


def told(adoption: Adoption, out: Path) -> str:
    """What was imported, and the lines that make stage pretrain start from it."""
    lines = [
        f"{adoption.family}: {len(adoption.matched)} weights taken over, {len(adoption.resized)} of them resized",
        *(f"  resized {entry}" for entry in adoption.resized),
        *(f"  random  {name}" for name in adoption.missing),
        *(f"  unused  {name}" for name in adoption.left_out),
    ]
    changed = "" if adoption.pixels == IMAGENET else "; the first layer was changed to see ImageNet's"
    lines.append(f"pixels: trained on those of {adoption.pixels.told}{changed}")
    if adoption.joints:
        new = ", ".join(adoption.new_joints) or "none"
        lines.append(f"joints: {len(adoption.joints)} taken over; random: {new}")
    lines += ["", "weights:", "  start:", f"    folder: {out}", f"    sha256: {digest(out)}"]
    return "\n".join(lines)
