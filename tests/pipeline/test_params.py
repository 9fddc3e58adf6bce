"""params.yaml is read strictly, and a wrong key is named."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import params
from pipeline.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """A section to read."""

    rate: float
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate: got {self.rate}, wanted more than 0")


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_scientific_notation_is_a_number(tmp_path: Path) -> None:
    path = _file(tmp_path, "optics: {rate: 1e-4, size: [3, 4]}\n")

    assert params.load(path, "optics", into=Optics) == Optics(rate=1e-4, size=(3, 4))


def test_a_section_may_be_addressed_below_the_top(tmp_path: Path) -> None:
    path = _file(tmp_path, "a: {b: {rate: 2, size: [1, 2]}}\n")

    assert params.load(path, "a.b", into=Optics).rate == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optics: {rate: 1, size: [3, 4], speed: 1}", "optics.speed is not a known key"),
        ("optics: {rate: 1, size: [3, 4], rtae: 1}", "optics.rtae is not a known key (did you mean `rate`?)"),
        ("optcs: {rate: 1, size: [3, 4]}", "section `optics` is missing (did you mean `optcs`?)"),
        ("optics: {rate: 1}", "optics.size is missing"),
        ("optics: {rate: fast, size: [3, 4]}", "optics.rate: got 'fast'"),
        ("optics: {rate: 1, size: [3, 4.5]}", "optics.size.1: got 4.5"),
        ("optics: {rate: -1, size: [3, 4]}", "rate: got -1.0, wanted more than 0"),
        ("other: {}", "section `optics` is missing"),
        ("optics: {rate: [", "not valid YAML"),
        ("- 1", "got list at the top"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        params.load(_file(tmp_path, text), "optics", into=Optics)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A section with a section in it, which may be absent."""

    optics: Optics | None


def test_a_misspelt_key_deeper_down_is_named_with_the_closest_one(tmp_path: Path) -> None:
    path = _file(tmp_path, "camera: {optics: {rate: 1, sze: [3, 4]}}\n")

    with pytest.raises(Refusal, match=r"sze is not a known key \(did you mean `size`\?\)"):
        params.load(path, "camera", into=Camera)


def test_a_presets_changes_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    path = _file(tmp_path, "a: {x: 1, y: [1, 2], w: 3}\nb: {}\n")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "big.yaml").write_text("a: {x: 2, y: null, w: 3, z: {v: 5}}\n", encoding="utf-8")
    before = path.read_text()

    changes = params.preset_changes(path, tmp_path / "presets", "big")

    assert changes == {"a.x": (1, 2), "a.y": ([1, 2], None), "a.z.v": (None, 5)}
    assert path.read_text() == before


def test_values_are_flattened_to_dotted_names() -> None:
    assert params.flat({"a": {"b": {"c": 1}, "d": [2]}, "e": {}}) == {"a.b.c": 1, "a.d": [2], "e": {}}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"absent\.yaml: no such file"):
        params.read(tmp_path / "absent.yaml")


def test_chosen_values_fill_a_section(tmp_path: Path) -> None:
    path = _file(tmp_path, "optics: {size: [3, 4]}\n")

    assert params.load(path, "optics", into=Optics, chosen={"rate": 0.5}).rate == 0.5


def test_a_key_lives_in_its_section_or_in_the_search_space_never_in_both(tmp_path: Path) -> None:
    path = _file(tmp_path, "optics: {rate: 1, size: [3, 4]}\n")

    with pytest.raises(Refusal, match=r"optics\.rate stands in the section and in tune\.space"):
        params.load(path, "optics", into=Optics, chosen={"rate": 0.5})


def test_a_preset_keeps_comments_and_adds_replaces_and_removes_keys(tmp_path: Path) -> None:
    path = _file(tmp_path, "# the top\na:\n  x: 1  # one\n  y: [1, 2]\nb: 3\n")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "big.yaml").write_text("a: {x: 1e-4, y: null, z: {w: 2}}\n", encoding="utf-8")

    params.use_preset(path, tmp_path / "presets", "big")

    assert params.read(path) == {"a": {"x": 1e-4, "z": {"w": 2}}, "b": 3}
    text = path.read_text(encoding="utf-8")
    assert "# the top" in text
    assert "# one" in text


def test_a_preset_leaves_the_lines_of_all_that_it_does_not_change(tmp_path: Path) -> None:
    text = "a:\n  x: 1  # one\n  y: [1, 2]\n  z: null  # or 3\n  rate: 1e-4\nb: null\n"
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "big.yaml").write_text("a: {x: 2, y: [1, 2], rate: 0.0001}\n", encoding="utf-8")

    params.use_preset(path := _file(tmp_path, text), tmp_path / "presets", "big")

    assert path.read_text(encoding="utf-8") == text.replace("x: 1", "x: 2")


def test_a_preset_is_found_in_a_subfolder_and_lies_over_its_base(tmp_path: Path) -> None:
    path = _file(tmp_path, "a: {x: 1, y: 1, z: 1}\n")
    (tmp_path / "presets" / "kind").mkdir(parents=True)
    (tmp_path / "presets" / "plain.yaml").write_text("a: {x: 2, y: 2}\n", encoding="utf-8")
    (tmp_path / "presets" / "kind" / "special.yaml").write_text("base: plain\na: {y: 3}\n", encoding="utf-8")

    params.use_preset(path, tmp_path / "presets", "special")

    assert params.read(path) == {"a": {"x": 2, "y": 3, "z": 1}}


def test_a_misspelt_preset_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "drawn.yaml").write_text("{}", encoding="utf-8")

    with pytest.raises(Refusal, match="did you mean `drawn`"):
        params.use_preset(_file(tmp_path, "a: 1"), tmp_path / "presets", "drwan")
