"""Score-CAM against loops over masked inputs, and against pytorch-grad-cam."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tests.support.networks import Nonlinear, PoolLinear, clip
from tests.support.replay_networks import Folded, Pathways, Residual, eval_network, inputs
from tests.support.rescoring import (
    WithConstantChannels,
    naive_score_cam,
    output_of,
    row_counts,
    score_of,
    score_weights,
    scores_of,
)
from video_cam import UsageError


@pytest.mark.parametrize("batch_size", [2, 16])
@pytest.mark.parametrize(
    ("build", "layer"), [(PoolLinear, "conv1"), (Nonlinear, "layer3"), (Residual, "layer2")]
)
def test_weights_equal_a_loop_over_channels(
    build: type[nn.Module], layer: str, batch_size: int
) -> None:
    network, x, class_ids = eval_network(build), clip() * 4, [3, 1]
    weights = score_weights(network, x, layer, scores_of(class_ids), batch_size=batch_size)
    expected = naive_score_cam(network, x, output_of(network, x, layer), class_ids)
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-9)
    assert expected.std() > 1e-4


class _Flat(nn.Module):
    """A 2D network on still images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 6, 3, 2, 1)
        self.last = nn.Conv2d(6, 5, 3, 2, 1)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.last(self.layer(x).relu()).tanh().amax((2, 3)))


def test_weights_equal_those_of_pytorch_grad_cam_on_images() -> None:
    pytorch_grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network = eval_network(_Flat).float()
    x, class_ids = clip(size=(1, 21, 18))[:, :, 0].float() * 3, [2, 0]
    weights = score_weights(network, x, "layer", scores_of(class_ids))
    A = output_of(network, x, "layer")
    with pytorch_grad_cam.ScoreCAM(network, [network.layer]) as peer:
        expected = peer.get_cam_weights(
            x, network.layer, [ClassifierOutputTarget(c) for c in class_ids], A.numpy(), None
        )
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-5)
    loop = naive_score_cam(network, x, A, class_ids, "bilinear")
    np.testing.assert_allclose(weights.numpy(), loop, atol=1e-6)


def test_every_pathway_is_masked_at_its_own_size() -> None:
    network = eval_network(Pathways)
    slow, fast = inputs(Pathways, 1)
    weights = score_weights(network, [slow, fast], "pair.conv", lambda outputs, _: outputs[0][:, 1])
    A = output_of(network, [slow.clone(), fast.clone()], "pair.conv")
    raw = []
    for k in range(A.shape[1]):
        masked = []
        for path in (slow, fast):
            mask = interpolate(
                A[:, k : k + 1], path.shape[2:], mode="trilinear", align_corners=True
            )
            masked.append(path * (mask - mask.min()) / (mask.max() - mask.min() + 1e-8))
        with torch.no_grad():
            raw.append(network(masked)[0][0, 1])
    torch.testing.assert_close(weights[0], torch.stack(raw).softmax(0), rtol=1e-9, atol=0)


def test_frames_folded_into_the_first_axis_of_the_input() -> None:
    class Frames(Folded):
        def forward(self, x: Tensor) -> Tensor:  # (N x 4, C, H, W)
            return super().forward(x.unflatten(0, (-1, 4)).transpose(1, 2))

    def unpack(output: Tensor) -> Tensor:
        return output.unflatten(0, (-1, 4)).transpose(1, 2)

    folded, example = (clip(batch=batch).transpose(1, 2).flatten(0, 1) for batch in (2, 3))
    weights = score_weights(
        eval_network(Frames, example), folded, "layer", score_of(1), samples=2, unpack=unpack
    )
    expected = score_weights(eval_network(Folded), clip(), "layer", score_of(1), unpack=unpack)
    torch.testing.assert_close(weights, expected)


def test_constant_and_equal_channels_are_scored_once() -> None:
    network, x = eval_network(WithConstantChannels), clip() * 4
    rows = row_counts(network, "conv1")
    weights = score_weights(network, x, "changed", score_of(0))
    assert rows == [2, 3, 3]  # the recorded pass; then channels {0, 4}, {1, 2} and 3
    expected = naive_score_cam(network, x, output_of(network, x, "changed"), [0, 0])
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-9)


def test_max_channels_takes_those_with_the_largest_variance() -> None:
    network, x = eval_network(WithConstantChannels), clip() * 4
    rows = row_counts(network, "conv1")
    weights = score_weights(network, x, "changed", score_of(0), max_channels=2)
    assert rows[0] == 2 and len(rows) == 3 and max(rows[1:]) <= 2
    A = output_of(network, x, "changed")
    every = score_weights(network, x, "changed", score_of(0))
    for n in range(2):
        chosen = A[n].flatten(1).var(1).argsort(descending=True, stable=True)[:2]
        expected = torch.zeros(5).double()
        expected[chosen] = every[n, chosen] / every[n, chosen].sum()
        torch.testing.assert_close(weights[n], expected)
    assert torch.equal(score_weights(network, x, "changed", score_of(0), max_channels=99), every)


def test_mistakes_get_one_clear_line() -> None:
    network = eval_network(Residual)
    with pytest.raises(UsageError, match="max_channels is 0"):
        score_weights(network, clip(), "layer2", score_of(0), max_channels=0)
    with pytest.raises(UsageError, match="only clips and images can be altered"):
        score_weights(
            network.fc,
            torch.ones(2, 9).double(),
            "",
            score_of(0),
            unpack=lambda o: o[:, :, None, None, None],
        )
