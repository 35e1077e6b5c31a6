"""Maps of networks with outputs of every kind are the gradients of the class scores in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import clip, seeded
from tests.support.output_networks import FORWARDS, FrameFeatures, Returning, places_mean
from video_cam import UsageError, compute_cams, guided_backprop, smooth_gradient

SIZE = (4, 16, 12)


def _places(values: Tensor) -> Tensor:
    return places_mean(values.flatten(2).transpose(1, 2))


def _half(net: FrameFeatures, x: Tensor) -> Tensor:
    return net.of_frames(x)[:, ::2].mean(1)


# The class scores (N, classes), written down a second time.
OF_CLIPS = dict.fromkeys(FORWARDS, FrameFeatures.of_clips)
SCORES: dict[str, Callable[[FrameFeatures, Tensor], Tensor]] = (
    OF_CLIPS
    | {
        "classes before time": lambda net, x: net.of_frames(x).mean(1),
        "rows of frames": lambda net, x: net.of_frames(x).mean(1),
        "classes before half the time": _half,
        "half the time before classes": _half,
        "softmax of frames, classes first": lambda net, x: net.of_frames(x).mean(1),
        "softmax written out": lambda net, x: net.of_clips(x).softmax(1),  # no test of values here
        "mean of the softmax of frames": lambda net, x: net.of_frames(x).softmax(2).mean(1).log(),
        "places": lambda net, x: _places(net.of_places(x)),
        "places as large as the input": lambda net, x: _places(
            interpolate(net.of_places(x), x.shape[2:])
        ),
        "places of the whole clip": lambda net, x: _places(net.of_places(x).mean(2)),
        "places, time before classes": lambda net, x: _places(net.of_places(x)),
        "softmax of places": lambda net, x: _places(net.of_places(x)),
        "one cell and parts": _half,
        "one cell between": lambda net, x: net.of_frames(x).mean(1),
        "token scores": lambda net, x: _places(net.of_places(x)),
    }
)


def grad_cam(net: FrameFeatures, x: Tensor, class_id: int, kind: str) -> tuple[Tensor, Tensor]:
    """The map of the layer "features" and the scores, directly by autograd."""
    kept = []
    hook = net.features.register_forward_hook(lambda _m, _i, output: kept.append(output))
    scores = SCORES[kind](net, x)[:, class_id]
    hook.remove()
    (gradient,) = torch.autograd.grad(scores.sum(), kept[0])
    weights = gradient.mean((2, 3, 4), keepdim=True)
    return (weights * kept[0]).sum(1).float().detach(), scores.float().detach()


@pytest.mark.parametrize("kind", SCORES)
def test_the_map_is_that_of_direct_autograd(kind: str) -> None:
    network, x = seeded(Returning, kind=kind), clip(size=SIZE)
    before = state_of(network)
    for class_id in (0, 2):
        [cam] = compute_cams(
            network, x, layers=["features"], targets=[class_id], align="receptive-field"
        )
        values, scores = grad_cam(seeded(FrameFeatures), x, class_id, kind)
        assert (values != 0).any()
        torch.testing.assert_close(cam.values, values, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(cam.scores, scores, rtol=1e-6, atol=1e-7)
    assert_same_state(before, network)


@pytest.mark.parametrize("method", ["ablationcam", "scorecam", "finercam", "smoothgradcam++"])
def test_other_methods_see_the_same_scores(method: str) -> None:
    options = {"layers": ["features"], "methods": [method], "align": "receptive-field"}
    x = clip(size=SIZE)
    ours = compute_cams(seeded(Returning, kind="classes before time"), x, targets=[1], **options)
    plain = compute_cams(seeded(FrameFeatures), x, targets=[1], **options)
    torch.testing.assert_close(ours[0].values, plain[0].values)


def test_gradients_of_the_input_see_the_same_scores() -> None:
    x = clip(size=SIZE)
    ours, plain = seeded(Returning, kind="classes before time"), seeded(FrameFeatures)
    torch.testing.assert_close(guided_backprop(ours, x, 1), guided_backprop(plain, x, 1))
    smooth = [smooth_gradient(network, x, samples=2) for network in (ours, plain)]
    torch.testing.assert_close(*smooth)


def test_a_function_gets_the_networks_own_output() -> None:
    network, x = seeded(Returning, kind="classes before time"), clip(size=SIZE)
    seen = []

    def target(outputs: Tensor) -> Tensor:
        seen.append(outputs.shape)
        return outputs[:, 1].mean(1)

    of_function, of_class = compute_cams(
        network, x, layers=["features"], targets=[target, 1], align="receptive-field"
    )
    assert seen == [(2, 3, 4)]
    torch.testing.assert_close(of_function.values, of_class.values)


def test_the_mean_over_a_given_mask() -> None:
    network, x = seeded(Returning, kind="places"), clip(size=SIZE)
    mask = torch.zeros(4, 4, 3, dtype=torch.float64)
    mask[:2, 1] = 1

    def masked(outputs: Tensor) -> Tensor:
        return (outputs[:, 2] * mask).sum((1, 2, 3)) / mask.sum()

    [cam] = compute_cams(
        network, x, layers=["features"], targets=[masked], methods=["hirescam"], align="half-pixel"
    )
    assert (cam.values[:, 2:] == 0).all() and (cam.values[:, :2, 1] != 0).any()


def test_the_axes_that_the_caller_names() -> None:
    x = clip(size=SIZE)
    options = {"layers": ["features"], "targets": [1], "align": "receptive-field"}
    network = seeded(Returning, kind="half the time before classes", classes=2)
    [named] = compute_cams(network, x, output_layout="NKT", **options)
    with pytest.raises(UsageError, match="unknown output layout 'TN'"):
        compute_cams(network, x, output_layout="TN", **options)
    scores = network(x)
    torch.testing.assert_close(named.scores, scores[:, 1].mean(1).float())


def test_a_network_whose_own_forward_was_replaced() -> None:
    x, options = clip(size=SIZE), {"layers": ["features"], "align": "half-pixel"}
    compiled, replaced = (seeded(Returning, kind="classes before time") for _ in range(2))
    compiled.compile()
    double = type(replaced).forward
    replaced.forward = lambda x: 2 * double(replaced, x)
    plain = seeded(Returning, kind="classes before time")
    maps = [
        compute_cams(network, x, targets=[1], **options)[0].values
        for network in (plain, compiled, replaced)
    ]
    torch.testing.assert_close(maps[1], maps[0])
    torch.testing.assert_close(maps[2], 2 * maps[0])


@pytest.mark.parametrize("kind", ["classes before time", "softmax", "places"])
def test_a_moved_patch_moves_the_map(kind: str) -> None:
    network = seeded(Returning, kind=kind)
    with torch.no_grad():
        network.features.bias.zero_()
        network.head.weight.copy_(network.head.weight.abs())
    peaks = []
    for row, column in ((2, 2), (10, 6)):
        x = torch.zeros(1, 3, 4, 16, 12, dtype=torch.float64)
        x[..., row : row + 4, column : column + 4] = 1
        [cam] = compute_cams(network, x, layers=["features"], targets=[0], align="half-pixel")
        peak = cam.values[0].abs().sum(0).flatten().argmax().item()
        peaks.append(divmod(peak, cam.values.shape[3]))
    (first_row, first_column), (second_row, second_column) = peaks
    assert second_row - first_row == 2 and second_column - first_column == 1
