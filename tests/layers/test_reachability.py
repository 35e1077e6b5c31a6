"""Layers whose grid the scores do not depend on are left out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import seeded
from video_cam.layers.layout import Fold
from video_cam.layers.reachability import MAX_TESTED_LAYERS, layers_affecting_scores

SIZE = (2, 4, 4)


class _ClassToken(nn.Module):
    """The score reads the class token; of the last block's tokens nothing else counts."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 8, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.mix = nn.Linear(5, 5)
        self.last = nn.Linear(8, 8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1)
        tokens = self.last(self.mix(tokens.mT).mT)
        return self.fc(tokens[:, 0])


def test_a_grid_that_only_the_class_token_follows_is_left_out() -> None:
    network = seeded(_ClassToken).train()
    folds = {"last": Fold("tokens", (1, 2, 2), extra=1), "patches": Fold("first", (1, 2, 2))}
    before = state_of(network)
    assert layers_affecting_scores(network, SIZE, ["last", "patches"], folds) == ["patches"]
    assert_same_state(before, network)


def test_without_a_path_to_the_scores_no_layer_is_left() -> None:
    class Detached(_ClassToken):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    folds = {"patches": Fold("first", (1, 2, 2))}
    assert layers_affecting_scores(seeded(Detached), SIZE, ["patches"], folds) == []


def test_only_the_first_layers_are_tested() -> None:
    layers = [nn.Conv3d(3, 3, 1) for _ in range(MAX_TESTED_LAYERS + 2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 2))
    names = [str(i) for i in range(len(layers))][::-1]
    folds = dict.fromkeys(names, Fold("first", SIZE))
    found = layers_affecting_scores(network, SIZE, names, folds)
    assert found == names[:MAX_TESTED_LAYERS]
