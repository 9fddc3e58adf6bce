"""Look whether a cluster has room for what is asked of it: Ray itself waits without a word, and without end."""

import logging
from collections.abc import Mapping, Sequence

from pipeline.cluster import ALONE
from pipeline.refusal import Refusal

ROUNDING = 1e-9
"""So much may be missing: five times a fifth of a GPU is one."""

Resources = Mapping[str, float]
"""How much of each kind, such as `{"CPU": 8, "GPU": 1}`."""

log = logging.getLogger(__name__)


def nodes() -> list[Resources]:
    """What each living node of the cluster has, in use or not."""
    import ray  # noqa: PLC0415  (after the environment is set)

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def room(have: Sequence[Resources], share: Resources) -> int:
    """How many shares fit on nodes at once, each of them on one node."""
    return sum(min(int(node.get(kind, 0.0) / amount + ROUNDING) for kind, amount in share.items()) for node in have)


def refuse_cramped(have: Sequence[Resources], share: Resources, *, fewest: int, what: str, keys: str) -> int:
    """Refuse to wait for room on a Ray of this machine alone, which never grows; on a cluster, tell that one waits.

    Args:
        have: by node, what it has.
        share: what each worker or trial takes.
        fewest: so many must fit at once.
        what: they are called.
        keys: the keys of params.yaml by which they take less.

    Returns:
        How many fit.

    Raises:
        Refusal: fewer than `fewest`, and no node will join.
    """
    found = room(have, share)
    if found >= fewest:
        return found
    each = " and ".join(f"{amount:g} {kind}s" for kind, amount in share.items())
    told = f"room for {found} of {fewest} {what} with {each} each"
    if any(ALONE in node for node in have):
        raise Refusal(f"{keys}: got {told} on this machine, wanted room for {fewest}; ask for less, or set RAY_ADDRESS")
    log.warning("waiting: the cluster has %s; nodes that join are used", told)
    return found
