"""One optimiser step, in as many passes as it takes."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, distributed, nn

from dsn.loss import gradient_shares
from pipeline.shards.batch import ClipBatch
from pipeline.training.guards import Facts, NotFiniteError, enough_memory, is_finite
from pipeline.training.pieces import Piece, cut
from pipeline.training.recipe import Row
from pipeline.training.run import Run
from pipeline.training.step import apart, arithmetic, bare, batch_losses


def advance(
    run: Run,
    shares: Sequence[ClipBatch],
    *,
    rank: int,
    of: int,
    with_gradient_shares: bool,
    skipped: Callable[[Facts], None],
) -> tuple[Row, Row]:
    """Take a step down the gradient of the batch's loss: the mean of its shares' losses, on however many ranks.

    Args:
        run: goes one step on.
        shares: this rank's; it has number `rank`, `rank` + ranks, and so on.
        rank: this one.
        of: shares of the batch, over all ranks.
        with_gradient_shares: whether to measure each loss term's share of the gradient, in the first pass.
        skipped: hears of a step that is left out.

    Returns:
        What the step measured, which is nothing where it was left out, and the terms' shares where they were asked for.

    Raises:
        NotFiniteError: more than `max_skipped_share` of the run's steps are not finite.
        NoRoomError: a pass does not fit into the memory.
    """
    train = run.recipe.train
    before = [buffer.clone() for buffer in run.network.buffers()] if train.max_skipped_share else []
    run.stepper.zero_grad(set_to_none=True)
    row, told = _passes(run, shares, rank=rank, of=of, with_gradient_shares=with_gradient_shares)
    norm = float(nn.utils.clip_grad_norm_(run.network.parameters(), train.clip_norm).item())
    row |= {"gradient_norm": norm, "learning_rate": train.learning_rate * run.rates.lr_lambdas[0](run.step)}
    is_taken = is_finite([norm])  # all ranks see the same norm, so all take the step or none
    if not is_taken:
        _leave_out(run, Facts(step=run.step, rank=rank, values=row, keys=_keys(shares)), before, skipped=skipped)
        row = {}
    run.stepper.step()
    run.rates.step()
    if is_taken:
        run.average.update(bare(run.network), step=run.step + 1)
    run.step += 1
    return row, told


def _passes(
    run: Run, shares: Sequence[ClipBatch], *, rank: int, of: int, with_gradient_shares: bool
) -> tuple[Row, Row]:
    """Leave the batch's gradient in the network; gives the loss by terms, and the terms' shares of the gradient."""
    recipe, world = run.recipe, distributed.get_world_size() if distributed.is_initialized() else 1
    cuts = [cut(share, size=recipe.train.micro_batch, model=recipe.model, loss=recipe.loss) for share in shares]
    row: Row = {}
    told: Row = {}
    left = sum(map(len, cuts))
    for number, pieces in enumerate(cuts):
        torch.manual_seed(recipe.train.seed * 1_000_003 + run.step * 1_009 + rank + world * number)
        for piece in pieces:
            left -= 1
            with enough_memory(len(piece.batch.keys)), apart(run.network, is_last=left == 0):
                terms = _terms(run, piece)
                if with_gradient_shares and not told:
                    told = gradient_shares(terms, run.network.parameters())
                for name, term in terms.items():
                    row[f"loss/{name}"] = row.get(f"loss/{name}", 0.0) + term.item() / len(shares)
                if recipe.train.max_skipped_share == 0 and not is_finite(list(row.values())):
                    raise NotFiniteError(Facts(step=run.step, rank=rank, values=row, keys=piece.batch.keys))
                (torch.stack(list(terms.values())).sum() * (world / of)).backward()  # type: ignore[no-untyped-call]
    row["loss"] = sum(row.values())
    return row, {f"gradient_share/{name}": share for name, share in told.items()}


def _terms(run: Run, piece: Piece) -> dict[str, Tensor]:
    """The piece's part of each loss term of its share."""
    recipe = run.recipe
    with arithmetic(recipe.train.precision, next(run.network.parameters()).device):
        terms = batch_losses(run.network, piece.batch, model=recipe.model, loss=recipe.loss)
    return {name: term * piece.weight(name) for name, term in terms.items()}


def _leave_out(run: Run, facts: Facts, before: Sequence[Tensor], *, skipped: Callable[[Facts], None]) -> None:
    """Make as if the step had not been: without a gradient no weight moves, and what passes counted is taken back."""
    run.skipped += 1
    if run.skipped > run.recipe.train.max_skipped_share * run.recipe.train.steps:
        raise NotFiniteError(facts)
    for buffer, value in zip(run.network.buffers(), before, strict=True):
        buffer.copy_(value)
    run.stepper.zero_grad(set_to_none=True)
    skipped(facts)


def _keys(shares: Sequence[ClipBatch]) -> tuple[str, ...]:
    return tuple(key for share in shares for key in share.keys)
