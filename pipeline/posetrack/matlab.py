"""PoseTrack17's .mat files as the values that its JSON files hold."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from pipeline.refusal import Refusal


def read_annolist(path: Path) -> dict[str, Any]:
    """The file's `annolist` in the form of PoseTrack17's JSON.

    Raises:
        Refusal: it is no .mat file of MATLAB's version 5 to 7, or has no `annolist`.
    """
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
    # scipy's NotImplementedError is a file of version 7.3; the others are what it raises on damaged ones
    except (MatReadError, NotImplementedError, OSError, TypeError, ValueError, zlib.error) as error:
        text = " ".join(str(error).split())
        raise Refusal(f"{path}: cannot be read ({text}); wanted a .mat file of MATLAB's version 5 to 7") from None
    if "annolist" not in content:
        names = sorted(name for name in content if not name.startswith("__"))
        raise Refusal(f"{path}: got variables {names}, wanted `annolist`")
    return {"annolist": [_frame(frame) for frame in _entries(content["annolist"])]}


def _entries(value: Any) -> list[Any]:
    """A squeezed array of structs: one struct comes bare, none as an empty array."""
    return [entry for entry in np.atleast_1d(value).ravel().tolist() if entry is not None]


def _frame(frame: Any) -> dict[str, Any]:
    return {
        "image": [{"name": str(image.name)} for image in _field(frame, "image")],
        "imgnum": _scalar(frame, "imgnum", int),
        "is_labeled": _scalar(frame, "is_labeled", int),
        "ignore_regions": [
            {"point": [_point(point, ("x", "y")) for point in _field(region, "point")]}
            for region in _field(frame, "ignore_regions")
        ],
        "annorect": [_rect(rect) for rect in _field(frame, "annorect")],
    }


def _rect(rect: Any) -> dict[str, Any]:
    values: dict[str, Any] = _point(rect, ("x1", "y1", "x2", "y2"))
    if track := _scalar(rect, "track_id", int):
        values["track_id"] = track
    values["annopoints"] = [
        {
            "point": [
                {
                    "id": _scalar(point, "id", int),
                    **_point(point, ("x", "y")),
                    "is_visible": _field(point, "is_visible"),
                }
                for point in _field(points, "point")
            ]
        }
        for points in _field(rect, "annopoints")
    ]
    return values


def _field(struct: Any, name: str) -> list[Any]:
    return _entries(getattr(struct, name, []))


def _scalar(struct: Any, name: str, kind: Callable[[Any], Any]) -> list[Any]:
    return [kind(value) for value in _field(struct, name)]


def _point(struct: Any, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Those of the numbers that are there."""
    values = {name: _scalar(struct, name, float) for name in names}
    return {name: value for name, value in values.items() if value}
