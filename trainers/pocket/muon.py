"""Muon (Jordan et al. 2024) in float32, matrices of one shape at once.

Torch's own works in bfloat16, which most CPUs emulate: there its step took longer than forward and backward together.
"""

from collections.abc import Sequence
from typing import Any

DECAY = 0.05
MOMENTUM = 0.95
_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon:
    """An optimizer as torch's are: momentum made orthogonal by Newton-Schulz steps, as long a step as AdamW's."""

    def __init__(self, matrices: Sequence[Any], peak: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(matrices), "lr": peak}]
        self._momenta = [matrix.detach().clone().zero_() for matrix in matrices]
        self._groups = _by_shape(matrices)

    def step(self) -> None:
        """Move every matrix by its gradient."""
        import torch

        [group] = self.param_groups
        with torch.no_grad():
            for places in self._groups:
                self._move([group["params"][place] for place in places], [self._momenta[place] for place in places],
                           group["lr"])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for matrix in self.param_groups[0]["params"]:
            matrix.grad = None

    def _move(self, matrices: Sequence[Any], momenta: Sequence[Any], rate: float) -> None:
        import torch

        for matrix, momentum in zip(matrices, momenta, strict=True):
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
        ahead = [matrix.grad.lerp(momentum, MOMENTUM) for matrix, momentum in zip(matrices, momenta, strict=True)]
        length = 0.2 * max(matrices[0].shape) ** 0.5
        for matrix, move in zip(matrices, orthogonal(torch.stack(ahead)), strict=True):
            matrix.mul_(1 - rate * DECAY).add_(move, alpha=-rate * length)


def orthogonal(stacked: Any) -> Any:
    """The matrices, stacked along the first axis, with their singular values brought near 1."""
    tall = stacked.shape[1] > stacked.shape[2]
    found = stacked.mT if tall else stacked
    found = found / (found.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = found @ found.mT
        found = _A * found + (_B * gram + _C * gram @ gram) @ found
    return found.mT if tall else found


def _by_shape(matrices: Sequence[Any]) -> list[list[int]]:
    """The places of the matrices of each shape."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, matrix in enumerate(matrices):
        groups.setdefault(tuple(matrix.shape), []).append(place)
    return list(groups.values())
