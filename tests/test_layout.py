"""The rules of the house that no linter holds: sizes, names, empty package files, thin stages, pages and presets."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import params
from pipeline.sections import check_params

ROOT = Path(__file__).parents[1]
PACKAGES = ("dsn", "pipeline", "stages")
CODE = sorted(path for folder in (*PACKAGES, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
STAGES = sorted(path for path in (ROOT / "stages").glob("*.py") if path.name != "__init__.py")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OVERLAYS = sorted([*(ROOT / "presets").rglob("*.yaml"), *(ROOT / "tests" / "world").rglob("*.yaml")])

NAMELESS = {"common", "helpers", "misc", "utils"}


def shown(path: Path) -> str:
    """A path as a test's id."""
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_package_file_holds_one_docstring_and_nothing_else() -> None:
    packages = [path for path in CODE if path.name == "__init__.py"]

    faults = [shown(path) for path in packages if not (ast.get_docstring(parsed(path)) and len(parsed(path).body) == 1)]

    assert packages
    assert not faults


def test_the_tests_folders_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_file_is_named_after_nothing() -> None:
    assert not [shown(path) for path in CODE if path.stem in NAMELESS or path.parent.name in NAMELESS]


def test_files_stay_below_300_lines() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}

    assert not {name: lines for name, lines in lengths.items() if lines >= 300}


def test_functions_have_at_most_60_lines() -> None:
    lengths = {f"{shown(path)}:{name}": lines for path in CODE for name, lines in functions(parsed(path))}

    assert not {name: lines for name, lines in lengths.items() if lines > 60}


def functions(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function and method."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_length_of_a_function_counts_its_first_and_last_line() -> None:
    assert list(functions(ast.parse("def one():\n    return 1\n\n\nasync def two(): ...\n"))) == [
        ("one", 2),
        ("two", 1),
    ]


@pytest.mark.parametrize("path", STAGES, ids=shown)
def test_a_stage_is_a_sentence(path: Path) -> None:
    assert thickness(path.read_text(encoding="utf-8")) == []


def thickness(text: str) -> list[str]:
    """What makes a stage module more than a sentence."""
    nodes = list(ast.walk(ast.parse(text)))
    faults = ["more than 40 lines"] if len(text.splitlines()) > 40 else []
    faults += [f"class {node.name}" for node in nodes if isinstance(node, ast.ClassDef)]
    choices = [ast.unparse(node.test) for node in nodes if isinstance(node, ast.If | ast.While)]
    return faults + [f"if {test}" for test in choices if test != "__name__ == '__main__'"]


def test_a_thick_stage_is_found_out() -> None:
    text = "class A: ...\nif y:\n    x = 1\nif __name__ == '__main__':\n    pass\n" + "#\n" * 40

    assert thickness(text) == ["more than 40 lines", "class A", "if y"]


def test_yaml_is_read_in_one_place() -> None:
    readers = {shown(path) for path in CODE if {"yaml", "ruamel"} & set(imported(parsed(path)))}

    assert readers == {"pipeline/params.py"}


def imported(module: ast.Module) -> Iterator[str]:
    """Top-level names of the packages a module imports, wherever it does so."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(name)):
                yield name.partition(".")[0]


def test_the_lock_holds_names_versions_and_markers_alone() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()

    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+(\[[a-z,-]+\])?==[\w.+!]+( ; [^/@]+)?", line)]


@pytest.mark.parametrize("path", OVERLAYS, ids=shown)
def test_params_with_an_overlay_hold_only_what_the_stages_know(path: Path, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    params.use_preset(tmp_path / "params.yaml", path.parent, path.stem)

    check_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("name", [path.stem for path in OVERLAYS if path.parent.name == "presets"])
def test_the_drawn_preset_is_the_default_and_undoes_every_other(name: str, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", name)
    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", "drawn")

    assert params.read(tmp_path / "params.yaml") == params.read(ROOT / "params.yaml")


def test_posetrack18_undoes_vitpose(tmp_path: Path) -> None:
    laid = []
    for names in (["posetrack18"], ["posetrack18", "vitpose", "posetrack18"]):
        shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
        for name in names:
            params.use_preset(tmp_path / "params.yaml", ROOT / "presets", name)
        laid.append(params.read(tmp_path / "params.yaml"))

    assert laid[0] == laid[1]


@pytest.mark.parametrize("name", [path.stem for path in OVERLAYS if path.parent.name == "network"])
def test_the_network_v3_2_is_the_default_and_undoes_every_other(name: str, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", name)
    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", "v3_2")

    assert params.read(tmp_path / "params.yaml") == params.read(ROOT / "params.yaml")


@pytest.mark.parametrize("name", [path.stem for path in OVERLAYS if path.parent.name == "network"])
def test_a_network_preset_fits_either_dataset_and_sets_no_size(name: str, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", "posetrack18")
    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", name)

    check_params(tmp_path / "params.yaml")
    model = params.read(tmp_path / "params.yaml")["model"]
    assert (model["encoder"]["width"], model["backbone"]["drop_path"]) == (256, 0.1)


def test_published_pose_weights_are_tuned_at_the_methods_rates(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", "posetrack18")
    params.use_preset(tmp_path / "params.yaml", ROOT / "presets", "vitpose")

    laid = params.read(tmp_path / "params.yaml")
    assert laid["model"]["backbone"]["drop_path"] == 0.1
    for stage in (laid["pretrain"], laid["train"]):
        assert stage["learning_rate"] * stage["backbone_rate"] == pytest.approx(1e-5)
        assert stage["layer_decay"] == 0.75


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    targets = links(path.read_text(encoding="utf-8"))

    assert not [target for target in targets if not (path.parent / target).exists()]


def links(text: str) -> list[str]:
    """Targets of a page's links and pictures that are files, without their anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
    targets = [(link or source).partition("#")[0] for link, source in found]
    return [target for target in targets if target and not re.match(r"[a-z]+:", target)]


def test_links_leave_out_other_sites_and_anchors() -> None:
    text = '[a](docs/a.md#part) ![b](b.jpg) [c](#here) [d](https://example.org/x) <img src="e.png">'

    assert links(text) == ["docs/a.md", "b.jpg", "e.png"]


def test_every_decision_says_why_and_what_follows() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    headings = {
        shown(path): re.findall(r"^## (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE) for path in decisions
    }

    assert decisions
    assert not {name: found for name, found in headings.items() if found != ["Context", "Decision", "Consequences"]}
