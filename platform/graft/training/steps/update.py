"""One step of the optimiser, from the gradients of the loss that the weights already have."""

from torch import Tensor, nn

from graft.training.session import Session


def move_weights(session: Session) -> None:
    """Add the penalty's gradients, clip, let the optimiser step, and bring the average of weights along.

    Gradients are those of the whole batch by now: micro-batches have been added up, and ranks averaged over. So their
    norm is the same on every rank, and the same as a single process would find.
    """
    session.adapted.penalty.add_gradients()
    clip_gradients(session)
    session.optimizer.step()
    if session.average is not None:
        session.average.update(session.first_step + session.partial.steps)


def clip_gradients(session: Session) -> None:
    """Scale all gradients together so that their norm is at most `strategy.clip_norm` (Pascanu et al., ICML 2013)."""
    if session.plan.strategy.clip_norm:
        nn.utils.clip_grad_norm_(trained(session), session.plan.strategy.clip_norm)


def trained(session: Session) -> list[Tensor]:
    """The parameters that the optimiser moves."""
    return [parameter for group in session.optimizer.param_groups for parameter in group["params"]]
