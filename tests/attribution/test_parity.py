"""The same numbers as pytorch-grad-cam, before resizing, wherever that is right."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.video import r3d_18

from benchmarks.truth.peer_classes import PYTORCH_GRAD_CAM
from video_cam import compute_cams

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install grad-cam")

from pytorch_grad_cam import base_cam  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

CLASS_ID = 4
PEERS = PYTORCH_GRAD_CAM.keys() - {"fullgrad"}  # which test_full_gradient.py is about
# On clips it crashes for these two, and its finercam and shapleycam are slow enough on images.
IMAGES_ONLY = {"ablationcam", "scorecam", "finercam", "shapleycam"}
# Its sign is arbitrary there, so that half of its maps show what is not the first component.
EITHER_SIGN = {"eigencam", "eigengradcam"}


def min_max(cam: np.ndarray) -> np.ndarray:
    """pytorch-grad-cam's own normalisation of one sample."""
    cam = cam - cam.min()
    return cam / (1e-7 + cam.max())


@pytest.fixture(autouse=True)
def without_resizing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer normalises and resizes in one function; here it only normalises."""
    monkeypatch.setattr(
        base_cam, "scale_cam_image", lambda cam, target_size=None: np.array([*map(min_max, cam)])
    )


def peers_map(method: str, model: nn.Module, layer: nn.Module, x: Tensor) -> np.ndarray:
    cam = getattr(peer, PYTORCH_GRAD_CAM[method])(model=model, target_layers=[layer])
    if method == "ablationcam":
        cam.batch_size = 16
    targets = None if method == "finercam" else [ClassifierOutputTarget(CLASS_ID)]
    options = {"target_idx": CLASS_ID} if method == "finercam" else {}
    return cam(x, targets, **options)[0] if not options else cam.forward(x, None, **options)[0]


def assert_same_map(method: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    candidates = [ours, -ours] if method in EITHER_SIGN else [ours]
    # It normalises each layer's map, and then the mean of the layers again.
    errors = [np.abs(min_max(min_max(np.maximum(c, 0))) - theirs).max() for c in candidates]
    assert theirs.max() > 0.99, "an empty map proves nothing"
    assert min(errors) < 1e-5


@pytest.fixture(scope="module")
def video_network() -> nn.Module:
    torch.manual_seed(0)
    return r3d_18(num_classes=10).double().eval()


@pytest.fixture(scope="module")
def image_network() -> nn.Module:
    torch.manual_seed(0)
    network = resnet50(num_classes=10).double().eval()
    # Fresh batch norm lets activations grow from block to block until scores overflow softmax.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.6)
    return network


@pytest.mark.parametrize("method", sorted(PEERS - IMAGES_ONLY))
def test_layer3_of_r3d_18_on_a_clip(method: str, video_network: nn.Module) -> None:
    x = torch.randn(1, 3, 8, 48, 48, generator=torch.Generator().manual_seed(1)).double()
    [ours] = compute_cams(video_network, x, layers=["layer3"], methods=[method], targets=[CLASS_ID])
    network = copy.deepcopy(video_network)
    theirs = peers_map(method, network, network.layer3, x)
    assert_same_map(method, ours.values[0].double().numpy(), theirs)


@pytest.mark.parametrize("method", sorted(PEERS))
def test_resnet_50_on_an_image(method: str, image_network: nn.Module) -> None:
    # A layer with few channels, and a small image, for those that run the network once for each.
    many_runs = method in ("ablationcam", "scorecam")
    layer, size = ("layer1", 32) if many_runs else ("layer3", 64)
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2)).double()
    network = copy.deepcopy(image_network)
    if many_runs:
        # Where a channel is zero nowhere, the peer ablates it to minus ten million.
        nn.init.constant_(network.layer1[-1].bn3.bias, -0.2)
    [ours] = compute_cams(network, x, layers=[layer], methods=[method], targets=[CLASS_ID])
    theirs = peers_map(method, network, getattr(network, layer), x)
    assert_same_map(method, ours.values[0, 0].double().numpy(), theirs)
