"""PoseTrack JSON as Arrow columns, without an object for every number: reading is most of what a score costs.

Arrow reads a file directly where it is plainly of the right shape. Any other file goes through `schema`, which refuses
it and says where, or finds a rarer way of writing the same; so `schema` alone decides what is right.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.schema import DOCUMENT, parse_document, read_bytes
from pipeline.posetrack.official import TRACK_BOUND

INTEGERS = pa.list_(pa.field("item", pa.int64(), nullable=False))
NUMBERS = pa.list_(pa.field("item", pa.float64(), nullable=False))
NAMES = pa.list_(pa.field("item", pa.string(), nullable=False))


def _field(name: str, kind: pa.DataType, *, optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=optional)


def _objects(*fields: pa.Field, optional: bool = False) -> pa.DataType:
    return pa.list_(pa.field("item", pa.struct(fields), nullable=optional))


_OUTLINES = pa.list_(pa.field("item", NUMBERS, nullable=False))
_POINTS = _objects(
    _field("id", INTEGERS, optional=True),
    _field("x", NUMBERS),
    _field("y", NUMBERS),
    _field("score", NUMBERS, optional=True),
)
_RECTS = _objects(
    _field("track_id", INTEGERS, optional=True),
    _field("annopoints", _objects(_field("point", _POINTS, optional=True), optional=True), optional=True),
    *(_field(corner, NUMBERS, optional=True) for corner in ("x1", "y1", "x2", "y2")),
)
_FRAMES = _objects(
    _field("annorect", _RECTS),
    _field("image", _objects(_field("name", pa.string())), optional=True),
    _field(
        "ignore_regions", _objects(_field("point", _objects(_field("x", NUMBERS), _field("y", NUMBERS)))), optional=True
    ),
)
_IMAGES = _objects(
    _field("id", pa.int64()),
    _field("file_name", pa.string()),
    _field("ignore_regions_x", _OUTLINES, optional=True),
    _field("ignore_regions_y", _OUTLINES, optional=True),
)
_ANNOTATIONS = _objects(
    _field("image_id", pa.int64()),
    _field("track_id", pa.int64()),
    _field("keypoints", NUMBERS),
    _field("scores", NUMBERS, optional=True),
    _field("bbox_head", NUMBERS, optional=True),
)
_CATEGORIES = _objects(_field("name", pa.string()), _field("keypoints", NAMES))
SCHEMA = pa.schema(
    [
        _field("annolist", _FRAMES, optional=True),
        _field("images", _IMAGES, optional=True),
        _field("annotations", _ANNOTATIONS, optional=True),
        _field("categories", _CATEGORIES, optional=True),
    ]
)
"""What `schema.Document` describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A file's lists, each an Arrow array of structs; None where the file does not have it."""

    annolist: Any
    images: Any
    annotations: Any
    categories: Any


def read_columns(path: Path) -> Columns:
    """Read a file of either kind.

    Raises:
        Refusal: it is not JSON, or a key is missing or holds something else; the message names file, frame and field.
    """
    data = read_bytes(path)
    table = _directly(data)
    if table is None:
        document = DOCUMENT.dump_python(parse_document(path, data))
        table = pa.Table.from_pylist([_as_columns(document)], schema=SCHEMA)
    return Columns(**{name: _only(table.column(name)) for name in SCHEMA.names})


def _directly(data: bytes) -> pa.Table | None:
    """The file's one object; None where Arrow cannot read it, or reads what `schema` would refuse."""
    # Arrow's reader crashes on a file that holds only `null`, and it does not check UTF-8.
    if data.lstrip()[:1] != b"{" or not _is_utf8(data):
        return None
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(data),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=SCHEMA, newlines_in_values=True, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == 1 and _fits(table) else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fits(table: pa.Table) -> bool:
    """Whether PoseTrack17's scalars are lists of one, and track ids below their bound."""
    annolist, annotations = (_only(table.column(name)) for name in ("annolist", "annotations"))
    if annolist is not None:
        tracks = content(content(annolist.field("annorect")).field("track_id")).to_numpy()
        return _has_lists_of_one(annolist) and bool((tracks < TRACK_BOUND).all())
    return annotations is None or bool((annotations.field("track_id").to_numpy() < TRACK_BOUND).all())


def _has_lists_of_one(structs: pa.StructArray) -> bool:
    """Whether all lists of numbers inside, however deep, hold one."""
    for field in structs.type:
        lists = structs.field(field.name)
        if field.type in (INTEGERS, NUMBERS):
            if not _are_of_one(lists):
                return False
        elif pa.types.is_list(field.type) and not _has_lists_of_one(content(lists)):
            return False
    return True


def _are_of_one(lists: Any) -> bool:
    if lists.null_count in (0, len(lists)):
        # Without a copy: of a file's millions of lists, nearly all are of fields that everybody has, or nobody.
        return bool((np.diff(lists.offsets.to_numpy()) == (lists.null_count == 0)).all())
    return bool((lengths(lists) == given(lists)).all())


def _as_columns(document: dict[str, Any]) -> dict[str, Any]:
    """A validated document with None for what PoseTrack17 writes as an empty list where an object is due."""
    for frame in document["annolist"] or []:
        for rect in frame["annorect"]:
            if rect["annopoints"] is not None:
                rect["annopoints"] = [first if isinstance(first, dict) else None for first in rect["annopoints"]]
    return document


def _only(column: pa.ChunkedArray) -> Any:
    lists = column.chunk(0)
    return content(lists) if lists.null_count == 0 else None


def content(lists: Any) -> Any:
    """All entries of lists, one after another; not copied where every list is there, as in most files."""
    return lists.flatten() if lists.null_count or lists.offset else lists.values


def lengths(lists: Any) -> Int64[np.ndarray, " n"]:
    """How many each list holds, 0 where there is none."""
    counts: Int64[np.ndarray, " n"] = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    return np.where(given(lists), counts, 0) if lists.null_count else counts


def given(array: Any) -> Bool[np.ndarray, " n"]:
    """Which of the entries are there."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    valid: Bool[np.ndarray, " n"] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def singles(lists: Any, *, absent: float) -> Float64[np.ndarray, " n"] | Int64[np.ndarray, " n"]:
    """The number in each list of one, `absent` where there is no list."""
    numbers: Float64[np.ndarray, " m"] | Int64[np.ndarray, " m"] = content(lists).to_numpy()
    if not lists.null_count:
        return numbers
    values = np.full(len(lists), absent, dtype=numbers.dtype)
    values[given(lists)] = numbers
    return values
