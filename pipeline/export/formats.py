"""The two formats: how a graph is written to a file, and how that file is run on the CPU."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnxruntime
import torch
from torch import Tensor

from pipeline.export.graphs import Traced
from pipeline.refusal import Refusal

Format = Literal["onnx", "torch"]
Run = Callable[..., Tensor]
"""Takes a graph's inputs in their order and gives its output."""

MOST_BYTES = 2**31 - 2**24
"""Protobuf, in which ONNX files are written, ends at 2 GiB; the graph itself needs some of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a format is written and run."""

    suffix: str
    write: Callable[[Traced, Path, Mapping[str, object]], None]
    """Writes a graph, with facts about it that travel in the file, each as JSON under its name."""
    open: Callable[[Path], Run]


def write_onnx(graph: Traced, path: Path, facts: Mapping[str, object]) -> None:
    """As ONNX, the facts among the model's metadata.

    Raises:
        Refusal: the weights are too large for one file.
    """
    size = sum(value.nbytes for value in graph.program.state_dict.values())
    if size > MOST_BYTES:
        raise Refusal(
            f"{path}: got {size / 2**30:.1f} GiB of weights, wanted less than 2 GiB for ONNX; use --format torch"
        )
    with quiet():
        program = torch.onnx.export(
            graph.program,
            dynamo=True,
            verbose=False,
            input_names=graph.inputs,
            output_names=[graph.output],
            dynamic_shapes=tuple({0: "batch"} for _ in graph.inputs),  # gives the axis its name in the file
        )
    assert program is not None
    program.model.metadata_props.update({name: json.dumps(value) for name, value in facts.items()})
    program.save(path, external_data=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """An ONNX file in onnxruntime."""

    run: Run
    inputs: tuple[str, ...]
    """Their names, in order."""
    facts: Mapping[str, Any]
    """What travels in it."""


def read_onnx(path: Path) -> OnnxFile:
    """A file that `write_onnx` wrote, on the CPU with as many threads as torch has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        given = {name: value.contiguous().numpy() for name, value in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, given)[0])

    facts = session.get_modelmeta().custom_metadata_map
    return OnnxFile(run=run, inputs=(*names,), facts={name: json.loads(value) for name, value in facts.items()})


def open_onnx(path: Path) -> Run:
    """How an ONNX file is run."""
    return read_onnx(path).run


def write_pt2(graph: Traced, path: Path, facts: Mapping[str, object]) -> None:
    """As torch.export's archive, the facts among its extra files."""
    with quiet():
        torch.export.save(graph.program, path, extra_files={name: json.dumps(value) for name, value in facts.items()})


def open_pt2(path: Path) -> Run:
    """An archive of torch.export."""
    module = torch.export.load(path).module()

    @torch.inference_mode()
    def run(*inputs: Tensor) -> Tensor:
        answer: Tensor = module(*inputs)
        return answer

    return run


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings by which torch's exporters tell its own developers what is to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


FORMATS: dict[Format, Writing] = {
    "onnx": Writing(suffix=".onnx", write=write_onnx, open=open_onnx),
    "torch": Writing(suffix=".pt2", write=write_pt2, open=open_pt2),
}
