"""Columns of lists as matrices, whether pandas holds one object a row or the Parquet file's own buffers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float


def blocks(column: "pd.Series[float]") -> Iterator[Float[np.ndarray, "_ D"]]:
    """The rows of a column of equally long lists, some at a time: where they lie in Arrow's buffers, none is copied.

    Parquet has null for NaN, as in the head bboxes of people who have none; such a chunk is copied.
    """
    if not isinstance(column.dtype, pd.ArrowDtype):
        yield np.stack(column.to_list())
        return
    for chunk in pa.chunked_array(pa.array(column.array)).chunks:
        if len(chunk):
            yield chunk.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk), -1)


def matrix(column: "pd.Series[float]") -> Float[np.ndarray, "N D"]:
    """All rows of such a column, of which there must be one at least."""
    return np.concatenate(list(blocks(column)))
