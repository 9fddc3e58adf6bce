from pathlib import Path

import numpy as np
import pytest

from pipeline.inference.footage import Footage, Frame, find_footage
from pipeline.refusal import Refusal
from tests.world.footage import (
    FPS,
    SIZE,
    drawn_frames,
    slow_down,
    spoil_frame,
    turn_by_metadata,
    write_images,
    write_mp4,
    write_photos,
)


def only(*sources: Path | str) -> Footage:
    (footage,) = find_footage([str(source) for source in sources], fps=25.0)
    return footage


def grey(frame: Frame) -> int:
    """Of the ground, by which frames are told apart."""
    return round(float(frame.image[-5:, -5:].mean()))


def test_a_video_gives_every_frame_with_its_time(tmp_path: Path) -> None:
    footage = only(write_mp4(tmp_path / "walk.mp4", drawn_frames(6)))

    frames = list(footage.frames())

    assert (footage.name, footage.count, footage.fps) == ("walk", 6, FPS)
    assert [frame.position for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [round(frame.seconds, 3) for frame in frames] == [0, 0.05, 0.1, 0.15, 0.2, 0.25]
    assert [grey(frame) for frame in frames] == pytest.approx([0, 8, 16, 24, 32, 40], abs=5)


def test_images_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "walk", drawn_frames(11))
    for file in folder.iterdir():
        file.rename(folder / f"frame{int(file.stem)}.png")
    (folder / "notes.txt").write_text("no image")

    frames = list(only(folder).frames())

    assert [grey(frame) for frame in frames] == list(range(0, 88, 8))
    assert frames[10].seconds == 10 / 25


def test_images_that_a_shell_lists_come_in_the_order_of_their_numbers_each_once(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    given = [folder / f"frame{number}.png" for number in (0, 1, 10, 2)]
    folder.mkdir()
    for file in given:
        file.write_bytes(b"")

    assert [file.name for file in only(*given).images] == ["frame0.png", "frame1.png", "frame2.png", "frame10.png"]
    assert only(folder, folder / "frame2.png").images == only(*given).images


def test_a_pattern_picks_images_and_videos(tmp_path: Path) -> None:
    write_images(tmp_path / "images", drawn_frames(4))
    for name in ("b.mp4", "a.mp4"):
        write_mp4(tmp_path / name, drawn_frames(2))

    found = find_footage([str(tmp_path / "images" / "00000[12].png"), str(tmp_path / "*.mp4")], fps=25.0)

    assert [(footage.name, footage.count) for footage in found] == [("images", 2), ("a", 2), ("b", 2)]


def test_a_frame_that_is_corrupt_keeps_its_place_and_shows_the_one_before(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "walk.mp4", drawn_frames(12))
    spoil_frame(path, 5)

    frames = list(only(path).frames())

    assert [frame.position for frame in frames] == list(range(12))
    assert [frame.position for frame in frames if not frame.is_readable] == [5]
    assert np.array_equal(frames[5].image, frames[4].image)


def test_images_that_are_cut_keep_their_places_also_at_the_beginning_and_at_the_end(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "walk", drawn_frames(7))
    for position in (0, 3, 5, 6):
        (folder / f"{position:06d}.png").write_bytes(b"\x89PNG")

    frames = list(only(folder).frames())

    assert [frame.position for frame in frames] == list(range(7))
    assert [frame.is_readable for frame in frames] == [False, True, True, False, True, False, False]
    assert [grey(frame) for frame in frames] == [8, 8, 16, 16, 32, 32, 32]
    assert [frame.seconds for frame in frames[4:]] == [4 / 25, 5 / 25, 6 / 25]


def test_a_video_that_ends_early_gives_the_frames_that_there_are(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "walk.mp4", drawn_frames(8))
    for position in (6, 7):
        spoil_frame(path, position)

    footage = only(path)

    assert (footage.count, len(list(footage.frames()))) == (8, 6)


def test_a_video_is_turned_as_its_metadata_say(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "walk.mp4", drawn_frames(3))
    turn_by_metadata(path)

    frame = next(only(path).frames())

    assert frame.image.shape == (SIZE[1], SIZE[0], 3)
    assert frame.image[20, 90 - 40].min() > 200  # a quarter to the right takes (x, y) to (height - y, x)


@pytest.mark.parametrize(
    ("orientation", "size", "place"),
    [
        (1, SIZE, (20, 40)),
        (3, SIZE, (160 - 20, 90 - 40)),
        (6, SIZE[::-1], (90 - 40, 20)),
        (8, SIZE[::-1], (40, 160 - 20)),
    ],
    ids=["upright", "half", "quarter to the right", "quarter to the left"],
)
def test_a_photo_is_turned_as_its_exif_data_say(
    tmp_path: Path, orientation: int, size: tuple[int, int], place: tuple[int, int]
) -> None:
    folder = write_photos(tmp_path / "walk", drawn_frames(1), orientation=orientation)

    (frame,) = only(folder).frames()

    assert frame.image.shape == (*size, 3)
    assert frame.image[place[1], place[0]].min() > 200  # the middle of the square


def test_frames_that_stand_longer_come_at_their_own_times(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "walk.mp4", drawn_frames(6))
    slow_down(path, first=3)

    seconds = [round(frame.seconds, 3) for frame in only(path).frames()]

    assert seconds == [0, 0.05, 0.1, 0.15, 0.25, 0.35]


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "walk.mp4").write_bytes(content)

    with pytest.raises(Refusal, match=f"got {len(content)} bytes that are no video"):
        only(tmp_path / "walk.mp4")


def test_images_of_which_none_can_be_decoded_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")

    with pytest.raises(Refusal, match="got no frame that can be decoded"):
        list(only(tmp_path).frames())


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "a", drawn_frames(1))
    second = write_images(tmp_path / "b", drawn_frames(1, size=(80, 100))) / "000000.png"
    second.rename(tmp_path / "a" / "000001.png")

    with pytest.raises(Refusal, match="got images of 160 x 90 and 100 x 80 pixels"):
        list(only(tmp_path / "a").frames())


def test_nothing_and_the_same_name_twice_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_images(tmp_path / folder / "walk", drawn_frames(1))

    with pytest.raises(Refusal, match="got nothing there"):
        only(tmp_path / "absent*.mp4")
    with pytest.raises(Refusal, match="got 2 sources named walk"):
        only(tmp_path / "a" / "walk", tmp_path / "b" / "walk")


def test_frames_have_posetracks_ids_where_they_are_named_as_there(tmp_path: Path) -> None:
    official = write_images(tmp_path / "003418_mpii_test", drawn_frames(2))
    own = write_images(tmp_path / "walk", drawn_frames(2))

    assert only(official).image_id(1) == 10034180001
    assert only(own).image_id(1) == 1
    assert only(official).frame_name(1) == "003418_mpii_test/000001.png"
