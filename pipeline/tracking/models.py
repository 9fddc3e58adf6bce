"""Models by their addresses: one way in for all that evaluates, degrades, predicts or exports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from dsn.checkpoint import Loaded, load
from pipeline.refusal import Refusal
from pipeline.tracking.address import parse
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import fetched, resolved


def load_model(address: Path | str, tracking: TrackingConfig) -> Loaded:
    """The network behind an address, in evaluation mode, on the CPU.

    Args:
        address: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, a model's folder, or stage register's registered.json.
        tracking: where the registry is.

    Raises:
        Refusal: there is no such model, its files are not those that were registered.
    """
    with folder_of(address, tracking) as folder:
        return _loaded(folder, address)


def _loaded(folder: Path, address: Path | str) -> Loaded:
    try:
        return load(folder)
    except SafetensorError as error:
        raise Refusal(
            f"model {address}: got weights that are no safetensors ({error}); nothing else is opened, for a pickle "
            "can run code; wanted a folder that training wrote"
        ) from error
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise Refusal(f"model {address}: {name} is missing; wanted a folder that training wrote") from error


@contextmanager
def folder_of(address: Path | str, tracking: TrackingConfig) -> Iterator[Path]:
    """The folder of a model's files; one out of the registry is there until the block ends."""
    place = parse(address)
    if isinstance(place, Path):
        yield place
        return
    version = resolved(tracking, place)
    with fetched(tracking, version=version) as folder:
        yield folder
