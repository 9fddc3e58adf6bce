"""Windows: upright crops that lie on whole pixels, and so need no warp.

A window is copied where it has the crop's size, and otherwise resized, in a third of the time of a warp.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.shards.crop import Affine, Image, warp_into

NEARLY = 1e-4
"""Pixels by which a crop may lie beside a window and still be it: no grey level comes out different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whole pixels of an image: from `left`, `top` to before `right`, `bottom`."""

    left: int
    top: int
    right: int
    bottom: int
    is_mirrored: bool

    def affine(self, *, size: tuple[int, int]) -> Affine:
        """From pixels of the crop of `size` (height, width) that shows this window to those of the image."""
        x, y = (self.right - self.left) / size[1], (self.bottom - self.top) / size[0]
        first_x, first_y = self.left + (x - 1) / 2, self.top + (y - 1) / 2
        if self.is_mirrored:
            return np.array([[-x, 0.0, first_x + (size[1] - 1) * x], [0.0, y, first_y]])
        return np.array([[x, 0.0, first_x], [0.0, y, first_y]])


def nearest_window(affine: Affine, *, size: tuple[int, int], image: tuple[int, int]) -> Window | None:
    """The window whose sides are nearest to those of a crop; None where that is turned, or not all in the image.

    Args:
        affine: from pixels of the crop to those of the image.
        size: height and width of the crop.
        image: height and width of the image.
    """
    (x, skew_x, right), (skew_y, y, top) = affine.tolist()
    if max(abs(skew_x), abs(skew_y)) * max(size) > NEARLY or y <= 0:
        return None
    left = right + (size[1] - 1) * x if x < 0 else right
    left, top = left - (abs(x) - 1) / 2, top - (y - 1) / 2
    window = Window(
        left=round(left),
        top=round(top),
        right=round(left + size[1] * abs(x)),
        bottom=round(top + size[0] * y),
        is_mirrored=x < 0,
    )
    is_inside = window.left >= 0 and window.top >= 0 and window.right <= image[1] and window.bottom <= image[0]
    return window if is_inside and window.right > window.left and window.bottom > window.top else None


def snapped(affine: Affine, *, size: tuple[int, int], image: tuple[int, int]) -> tuple[Affine, Window | None]:
    """The nearest window, whose sides lie at most half a pixel beside the crop's, and its affine; or else the same."""
    window = nearest_window(affine, size=size, image=image)
    return (affine if window is None else window.affine(size=size)), window


def exact_window(affine: Affine, *, size: tuple[int, int], image: tuple[int, int]) -> Window | None:
    """The window that a crop is; None where it is none."""
    window = nearest_window(affine, size=size, image=image)
    if window is None or np.abs(window.affine(size=size) - affine).max() * max(size) > NEARLY:
        return None
    return window


def cut(crop: Image, image: Image, *, affine: Affine, window: Window | None) -> None:
    """Draw into `crop`, which is contiguous, what `image` shows at `affine`; `window` is what that crop is exactly."""
    if window is None:
        warp_into(crop, image, affine=affine)
        return
    part = image[window.top : window.bottom, window.left : window.right]
    if part.shape == crop.shape:
        crop[:] = part
    else:
        cv2.resize(part, (crop.shape[1], crop.shape[0]), dst=crop, interpolation=cv2.INTER_LINEAR)
    if window.is_mirrored:
        cv2.flip(crop, 1, dst=crop)
