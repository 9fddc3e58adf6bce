"""Models by their addresses: one way in for all that evaluates, degrades, predicts or exports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from dsn.checkpoint import Loaded, load
from pipeline import params
from pipeline.artifacts import sha256
from pipeline.refusal import Refusal
from pipeline.tracking.address import parse
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import WEIGHTS, fetched, resolved


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


def load_for_user(address: str, params_file: Path) -> tuple[Loaded, str]:
    """The network that somebody names on a command line, and the SHA-256 of its weights.

    A folder needs no params file, which says where the registry is. See `load_model` for errors.
    """
    if isinstance(parse(address), Path):
        tracking = TrackingConfig(uri=None, experiment="", model="")
    else:
        tracking = params.load(params_file, "tracking", into=TrackingConfig)
    with folder_of(address, tracking) as folder:
        return _loaded(folder, address), sha256(folder / WEIGHTS)


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
