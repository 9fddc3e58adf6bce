"""dvc.yaml is true: what a stage imports, reads and writes is what it declares, no less and no more."""

import ast
import importlib
import inspect
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import grimp
import pytest

from pipeline import params

ROOT = Path(__file__).parents[1]
PACKAGES = ("dsn", "pipeline", "stages")
STAGES: dict[str, dict[str, Any]] = params.read(ROOT / "dvc.yaml")["stages"]
ABLATION: dict[str, dict[str, Any]] = params.read(ROOT / "ablate" / "dvc.yaml")["stages"]
"""Those of a DAG of its own, which goes on from the first one's outs."""
EVERY = STAGES | ABLATION
GRAPH = grimp.build_graph(*PACKAGES, cache_dir=None)


def closure(graph: Any, module: str) -> set[str]:
    """A module and all that it imports, at its top or inside functions, directly or not."""
    return {module, *graph.find_upstream_modules(module)}


def file_of(module: str, root: Path = ROOT) -> str:
    """A module's path, relative to the root; a package is its `__init__.py`."""
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (root / path).is_dir() else f"{path}.py"


def code_faults(stage: Mapping[str, Any], files: Iterable[str]) -> list[str]:
    """Files of code that a stage needs and does not declare, and declared code that it does not need.

    A package's `__init__.py` needs no declaration: it holds a docstring alone, as another test sees to.
    """
    needed = [file for file in sorted(files) if not file.endswith("__init__.py")]
    declared = [dep for dep in stage["deps"] if dep.split("/")[0] in PACKAGES]
    missing = [file for file in needed if not any(covers(dep, file) for dep in declared)]
    unused = [dep for dep in declared if not any(covers(dep, file) for file in needed)]
    return [f"{file} is imported, not declared" for file in missing] + [
        f"{dep} is declared, not imported" for dep in unused
    ]


def covers(path: str, other: str) -> bool:
    """Whether `path` is `other` or a folder above it."""
    return other == path or other.startswith(f"{path}/")


@pytest.mark.parametrize("name", EVERY)
def test_a_stage_declares_the_code_it_imports_and_no_more(name: str) -> None:
    files = {file_of(module) for module in closure(GRAPH, f"stages.{name}")}

    faults = code_faults(EVERY[name], files)

    assert not faults, "\n".join(faults)


def test_a_missing_dep_and_an_unused_one_are_found_out() -> None:
    stage = {"deps": ["stages/a.py", "pipeline/shards", "dsn/loss.py", "data/index"]}

    faults = code_faults(stage, ["stages/a.py", "pipeline/shards/reader.py", "pipeline/__init__.py", "dsn/codec.py"])

    assert faults == ["dsn/codec.py is imported, not declared", "dsn/loss.py is declared, not imported"]


def test_a_dep_taken_from_the_real_file_is_missed() -> None:
    stage = deepcopy(STAGES["register"])
    stage["deps"].remove("pipeline/tracking")
    files = {file_of(module) for module in closure(GRAPH, "stages.register")}

    assert "pipeline/tracking/registry.py is imported, not declared" in code_faults(stage, files)


def test_an_import_inside_a_function_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_package"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "a": "def f():\n    from toy_package import b\n",
        "b": "import toy_package.c",
        "c": "",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))

    found = closure(grimp.build_graph("toy_package", cache_dir=None), "toy_package.a")

    assert found == {"toy_package.a", "toy_package.b", "toy_package.c"}


def loaded_sections(module: ast.Module) -> Iterator[str]:
    """Sections of params.yaml that a module names: in `params.load(path, "section", ...)`, or as `section="..."`."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) == "params.load" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            yield str(node.args[1].value)
        for keyword in node.keywords:
            if keyword.arg == "section" and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value)


def section_faults(declared: Iterable[str], loaded: Iterable[str]) -> list[str]:
    """Sections that are loaded and not declared, and declared ones of which nothing is loaded."""
    inside = {(outer, inner) for outer in declared for inner in loaded if f"{inner}.".startswith(f"{outer}.")}
    missing = sorted(set(loaded) - {inner for _, inner in inside})
    unused = sorted(set(declared) - {outer for outer, _ in inside})
    return [f"{name} is loaded, not declared" for name in missing] + [
        f"{name} is declared, not loaded" for name in unused
    ]


@pytest.mark.parametrize("name", EVERY)
def test_a_stage_declares_the_sections_it_loads_and_no_more(name: str) -> None:
    files = {file_of(module) for module in closure(GRAPH, f"stages.{name}")}
    modules = [ast.parse((ROOT / file).read_text(encoding="utf-8")) for file in files]
    loaded = {section for module in modules for section in loaded_sections(module)}

    faults = section_faults(sections_of(EVERY[name]), loaded)

    assert not faults, "\n".join(faults)


def sections_of(stage: Mapping[str, Any]) -> list[str]:
    """The sections that a stage declares, also those of a params file that it names."""
    entries = [[entry] if isinstance(entry, str) else next(iter(entry.values())) for entry in stage["params"]]
    return [section for sections in entries for section in sections]


def test_a_part_of_a_section_is_covered_by_the_section_and_not_the_other_way_round() -> None:
    assert section_faults(["model", "shard"], ["model.clip", "shard"]) == []
    assert section_faults(["model.clip", "tune"], ["model"]) == [
        "model is loaded, not declared",
        "model.clip is declared, not loaded",
        "tune is declared, not loaded",
    ]


def test_sections_are_read_from_calls() -> None:
    text = (
        'params.load(P, "a.b", into=C)\nfrom_params(P, section="c")\nparams.load(P, name, into=C)\nother.load(P, "d")\n'
    )

    assert sorted(loaded_sections(ast.parse(text))) == ["a.b", "c"]


def test_no_stage_reads_params_past_its_sections() -> None:
    modules = {module for name in EVERY for module in closure(GRAPH, f"stages.{name}")} - {"pipeline.params"}
    texts = {module: (ROOT / file_of(module)).read_text(encoding="utf-8") for module in modules}

    assert not [module for module, text in texts.items() if "params.read(" in text]


def test_every_stage_has_its_module_and_says_what_it_does() -> None:
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}

    assert modules == set(EVERY)
    assert not [name for name, stage in EVERY.items() if not stage.get("desc")]


@pytest.mark.parametrize("name", EVERY)
def test_a_command_gives_its_stage_every_path_it_asks_for(name: str) -> None:
    parameters = inspect.signature(importlib.import_module(f"stages.{name}").main).parameters
    command = shlex.split(EVERY[name]["cmd"])

    assert command[:3] == ["python", "-m", f"stages.{name}"]
    flags = [flag for parameter in parameters.values() for flag in flags_of(parameter)]
    assert command[3::2] == [f"--{flag}" for flag in flags]


def flags_of(parameter: inspect.Parameter) -> list[str]:
    """The flags of a parameter of a stage's main: its name, or the names of its fields."""
    kind = parameter.annotation
    return [field.name for field in fields(kind)] if is_dataclass(kind) else [parameter.name]


@pytest.mark.parametrize("name", STAGES)
def test_a_path_in_a_command_is_declared(name: str) -> None:
    stage = STAGES[name]
    declared = [*stage["deps"], *outs_of(stage)]

    assert not [path for path in shlex.split(stage["cmd"])[4::2] if not any(covers(path, known) for known in declared)]


@pytest.mark.parametrize("name", [name for name, stage in EVERY.items() if "${data.root}" in stage["cmd"]])
def test_a_data_root_reaches_its_stage_whatever_the_shell_would_make_of_it(name: str) -> None:
    root = 'my data/$HOME `id`; "(1) & 2"'

    words = shlex.split(EVERY[name]["cmd"].replace("${data.root}", root))

    assert words[words.index("--root") + 1] == root


def test_what_a_stage_reads_is_data_or_what_an_earlier_stage_wrote() -> None:
    written: list[str] = ["${data.root}"]
    strangers = []
    for name, stage in STAGES.items():
        data = [dep for dep in stage["deps"] if dep.split("/")[0] not in PACKAGES]
        strangers += [f"{name}: {dep}" for dep in data if not any(covers(out, dep) for out in written)]
        written += outs_of(stage)

    assert not strangers


def outs_of(stage: Mapping[str, Any]) -> list[str]:
    """All that a stage writes."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_ablation_reads_what_the_dag_wrote_or_its_own_cells() -> None:
    written = ["${data.root}", "presets", *(out for stage in STAGES.values() for out in outs_of(stage))]
    cells = [out for stage in ABLATION.values() for out in outs_of(stage)]
    deps = {dep for stage in ABLATION.values() for dep in stage["deps"] if dep.split("/")[0] not in PACKAGES}

    strangers = [dep for dep in deps if not any(covers(out, dep) for out in (*written, *cells))]

    assert strangers == ["ablate/cells"]  # the folder of all of them
    assert all(stage["wdir"] == ".." for stage in ABLATION.values())


def test_an_out_is_written_by_one_stage() -> None:
    outs = [out for stage in EVERY.values() for out in outs_of(stage)]

    assert not [
        (one, other) for i, one in enumerate(outs) for j, other in enumerate(outs) if i != j and covers(one, other)
    ]


def test_deps_stand_in_order() -> None:
    lists = {name: [dep for dep in stage["deps"] if "$" not in dep] for name, stage in EVERY.items()}

    assert not {name: deps for name, deps in lists.items() if deps != sorted(deps)}


def repeated_paths(text: str, paths: Iterable[str]) -> list[str]:
    """Strings in code, other than docstrings, that are one of `paths` or lie below one."""
    nodes = list(ast.walk(ast.parse(text)))
    bare = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in bare]
    return [value for value in strings if isinstance(value, str) and any(covers(path, value) for path in paths)]


def test_no_path_of_dvc_yaml_is_written_down_again_in_code() -> None:
    outs = {out for stage in STAGES.values() for out in outs_of(stage) if re.search(r"[./]", out)}
    files = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))
    repeated = {str(path): repeated_paths(path.read_text(encoding="utf-8"), outs) for path in files}

    assert not {path: found for path, found in repeated.items() if found}


def test_a_repeated_path_is_found_out_and_a_docstring_is_none() -> None:
    text = '"""data/index"""\nroot = "data/index/videos.parquet"\nother = "data/indexes"\n'

    assert repeated_paths(text, ["data/index"]) == ["data/index/videos.parquet"]
