from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.posetrack.images import TAIL, look


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A JPEG of noise, 48 x 64 pixels."""
    path = tmp_path / "picture.jpg"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return path


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def test_a_whole_image_has_a_size_and_no_fault(picture: Path) -> None:
    assert look(picture, decode=False) == ((48, 64), "")
    assert look(picture, decode=True) == ((48, 64), "")


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_jpeg_that_was_cut_behind_its_header_is_found_without_being_asked_to_decode(
    picture: Path, share: float
) -> None:
    cut(picture, share)

    assert look(picture, decode=False) == (None, "image is cut short")


def test_a_png_that_was_cut_is_found(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    assert look(path, decode=False) == ((48, 64), "")

    cut(path, 0.8)

    assert look(path, decode=False) == (None, "image is cut short")


def test_what_is_written_behind_a_jpeg_does_no_harm(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes() + b"\0" * 3 * TAIL)

    assert look(picture, decode=False) == ((48, 64), "")


def test_damage_in_the_middle_is_found_where_every_image_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)

    assert look(path, decode=False) == ((48, 64), "")
    assert look(path, decode=True) == (None, "image cannot be decoded")


def test_images_that_are_none_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    (tmp_path / "folder.jpg").mkdir()

    reasons = {name: look(tmp_path / f"{name}.jpg", decode=False) for name in ("empty", "text", "folder", "nothing")}

    assert reasons == {
        "empty": (None, "image is empty"),
        "text": (None, "image is unreadable"),
        "folder": (None, "image is unreadable"),
        "nothing": (None, "image is missing"),
    }
