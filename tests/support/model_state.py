"""A network's whole state, to compare before and after a call."""

from __future__ import annotations

import copy

import torch
from torch import nn


def state_of(model: nn.Module) -> dict:
    """Weights, flags, gradients and hooks of a network, and the global random state."""
    return {
        "weights": copy.deepcopy(model.state_dict()),
        "training": [module.training for module in model.modules()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "grad": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "hooks": [
            (len(m._forward_hooks), len(m._backward_hooks), len(m._forward_pre_hooks))
            for m in model.modules()
        ],
        "rng": torch.get_rng_state(),
    }


def assert_same_state(before: dict, model: nn.Module) -> None:
    """Fail where the network's state is not the one that ``state_of`` returned before."""
    after = state_of(model)
    for name in ("training", "requires_grad", "hooks"):
        assert before[name] == after[name], name
    for name, tensor in before["weights"].items():
        assert torch.equal(tensor, after["weights"][name]), name
    for a, b in zip(before["grad"], after["grad"], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    assert torch.equal(before["rng"], after["rng"])
