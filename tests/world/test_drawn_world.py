from pathlib import Path


def test_the_drawn_world_has_three_training_and_two_validation_videos(drawn_world: Path) -> None:
    names = {
        split: sorted(path.name for path in (drawn_world / "images" / split).iterdir()) for split in ("train", "val")
    }

    assert names == {
        "train": ["000001_mpii_train", "000002_mpii_train", "000003_mpii_train"],
        "val": ["005001_mpii_test", "005002_mpii_test"],
    }
