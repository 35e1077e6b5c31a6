"""How much of the gradient goes round a layer, and default layers that nothing goes round."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import PoolLinear, seeded
from video_cam import load_model
from video_cam.layers.bypass import bypassing_shares, last_cut

SIZE = (4, 16, 16)
OPTIONS = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}


class Residual(nn.Module):
    """x + w conv(x): of the gradient, 1 goes round the convolution and w through it."""

    def __init__(self, weight: float = 0.25, halves: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 3, 1)
        self.inner = nn.Conv3d(3, 3, 1)
        self.pool = nn.AvgPool3d((4, 1, 1)) if halves else nn.Identity()
        self.fc = nn.Linear(3, 2)
        for conv in (self.stem, self.inner):
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)
        self.inner.weight.data *= weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.fc(self.pool(x + self.inner(x)).mean((2, 3, 4)))


class TwoPathways(PoolLinear):
    """Two pathways that meet only behind the last grid."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Conv3d(3, 5, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.fc(self.other(x).mean((2, 3, 4)))


def test_the_share_of_a_residual_connection() -> None:
    network = seeded(Residual).train()
    before = state_of(network)
    shares = bypassing_shares(network, SIZE, ["stem", "inner"])
    assert shares == {"stem": pytest.approx(0, abs=1e-3), "inner": pytest.approx(0.8, abs=1e-3)}
    assert_same_state(before, network)


def test_the_last_layer_that_nothing_goes_round_is_chosen() -> None:
    network = seeded(Residual)
    assert last_cut(network, SIZE, ["inner", "stem"]) == ("stem", 0.0)
    share = pytest.approx(0.8, abs=1e-3)
    assert last_cut(network, SIZE, ["inner"]) == ("inner", share)
    assert [*bypassing_shares(network, SIZE, ["stem", "inner"], enough=0.5)] == ["stem"]


def test_the_default_layer_is_not_inside_a_residual_block() -> None:
    """Only inside the block there is more than one cell in time."""
    model = load_model(seeded(Residual).float(), **OPTIONS)
    assert (model.layer, model.bypass) == ("stem", 0.0)


def test_what_goes_round_the_default_layer_is_told(sample_clip) -> None:
    model = load_model(seeded(TwoPathways).float(), **OPTIONS)
    assert 0.1 < model.bypass <= 1.5
    explanation = video_cam.explain(sample_clip, model)
    [note] = [note for note in explanation.notes if "goes round" in note.text]
    beginning = f"{model.bypass:.2f} of the gradient goes round layer {model.layer}"
    assert note.text.startswith(beginning) and note.kind == "warning"
    named = video_cam.explain(sample_clip, model, layers=["conv1"])
    assert not any("goes round" in note.text for note in named.notes)


def test_without_a_gradient_nothing_is_known() -> None:
    class Detached(Residual):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    assert bypassing_shares(seeded(Detached), SIZE, ["stem"]) == {}
    with torch.no_grad():
        assert bypassing_shares(seeded(Residual), SIZE, ["inner"])["inner"] > 0.7
