"""What the drawn dataset is made of."""

from dataclasses import dataclass

LEAST = {
    "seed": 0, "train_videos": 1, "val_videos": 1, "train_frames": 1, "val_frames": 1, "labeled_frames": 1,
    "val_label_step": 1, "size": 32, "fps": 1, "people": 1, "person_height": 8, "occluders": 0, "crowd": 0,
    "shutter": 0, "subframes": 1, "jpeg_quality": 1, "workers": 1,
}  # fmt: skip
"""The least each number may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawConfig:
    """Section `draw` of params.yaml."""

    seed: int
    """Decides everything that is drawn; another seed, another dataset."""
    train_videos: int
    """Videos in images/train."""
    val_videos: int
    """Videos in images/val, with people whose looks are in no training video."""
    train_frames: int
    """Frames of a training video."""
    val_frames: int
    """Frames of a validation video."""
    labeled_frames: int
    """Consecutive frames around the middle of each video that carry labels."""
    val_label_step: int
    """Beyond the middle, validation videos are labelled in every this many-th frame."""
    size: tuple[int, int]
    """Height and width of a frame, in pixels."""
    fps: float
    """Frames a second: how far people move from one frame to the next."""
    people: tuple[int, int]
    """Fewest and most people in a video."""
    person_height: tuple[float, float]
    """Shortest and tallest a standing person appears, in pixels, when in the middle of the video."""
    occluders: tuple[int, int]
    """Fewest and most things that stand before people."""
    crowd: float
    """Share of the videos with a far, unlabelled crowd inside ignore regions."""
    shutter: float
    """Share of the time between two frames in which light is gathered: the length of motion blur."""
    subframes: int
    """Instants that are averaged into a frame."""
    jpeg_quality: int
    """JPEG quality, 1 to 100."""
    workers: int
    """Processes that draw; what is drawn does not depend on them."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be drawn, naming the key."""
        for key, low in LEAST.items():
            value = getattr(self, key)
            if min(value) < low if isinstance(value, tuple) else value < low:
                raise ValueError(f"{key}: got {value}, wanted at least {low}")
        for key, high in (("crowd", 1), ("shutter", 1), ("jpeg_quality", 100)):
            if getattr(self, key) > high:
                raise ValueError(f"{key}: got {getattr(self, key)}, wanted at most {high}")
        for key in ("train_frames", "val_frames"):
            if getattr(self, key) < self.labeled_frames:
                raise ValueError(
                    f"{key}: got {getattr(self, key)}, wanted labeled_frames={self.labeled_frames} or more"
                )
        for key in ("people", "person_height", "occluders"):
            fewest, most = getattr(self, key)
            if fewest > most:
                raise ValueError(f"{key}: got {getattr(self, key)}, wanted the lower value first")
