"""The same maps as pytorch-grad-cam, before resizing, except where its maps are wrong."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

from benchmarks.truth.peer_classes import PYTORCH_GRAD_CAM
from video_cam import compute_cams

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install grad-cam")

from pytorch_grad_cam import base_cam  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

CLASS_ID = 4
PEERS = PYTORCH_GRAD_CAM.keys() - {"fullgrad"}  # tested in test_full_gradient.py
# On clips its ablationcam and scorecam fail, and its finercam and shapleycam are slow.
IMAGES_ONLY = {"ablationcam", "scorecam", "finercam", "shapleycam"}
# The sign of its principal component is arbitrary.
EITHER_SIGN = {"eigencam", "eigengradcam"}


def min_max(cam: np.ndarray) -> np.ndarray:
    """pytorch-grad-cam's own normalisation of one sample."""
    cam = cam - cam.min()
    return cam / (1e-7 + cam.max())


@pytest.fixture(autouse=True)
def without_resizing(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch-grad-cam normalises and resizes in one function; here it only normalises."""
    monkeypatch.setattr(
        base_cam, "scale_cam_image", lambda cam, target_size=None: np.array([*map(min_max, cam)])
    )


def map_of_peer(method: str, model: nn.Module, layer: nn.Module, x: Tensor) -> np.ndarray:
    cam = getattr(peer, PYTORCH_GRAD_CAM[method])(model=model, target_layers=[layer])
    if method == "ablationcam":
        cam.batch_size = 16
    targets = None if method == "finercam" else [ClassifierOutputTarget(CLASS_ID)]
    options = {"target_idx": CLASS_ID} if method == "finercam" else {}
    return cam(x, targets, **options)[0] if not options else cam.forward(x, None, **options)[0]


def assert_same_map(method: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    candidates = [ours, -ours] if method in EITHER_SIGN else [ours]
    # It normalises the map of each layer, and the mean of the layers once more.
    errors = [np.abs(min_max(min_max(np.maximum(c, 0))) - theirs).max() for c in candidates]
    assert theirs.max() > 0.99, "the map is empty"
    assert min(errors) < 1e-5


@pytest.fixture(scope="module")
def video_network() -> nn.Module:
    """r3d_18 with one block in each layer."""
    torch.manual_seed(0)
    network = VideoResNet(BasicBlock, [Conv3DSimple] * 4, [1, 1, 1, 1], BasicStem, num_classes=10)
    return network.double().eval()


@pytest.fixture
def image_network(built: nn.Module) -> nn.Module:
    return copy.deepcopy(built)


@pytest.fixture(scope="module")
def built() -> nn.Module:
    torch.manual_seed(4)  # every map of it has values of both signs
    network = resnet18(num_classes=10).double().eval()
    # With untrained batch norm, activations grow from block to block until softmax overflows.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.6)
    return network


@pytest.mark.parametrize("method", sorted(PEERS - IMAGES_ONLY))
def test_layer3_of_a_video_network_on_a_clip(method: str, video_network: nn.Module) -> None:
    x = torch.randn(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    [ours] = compute_cams(
        video_network,
        x,
        layers=["layer3"],
        methods=[method],
        targets=[CLASS_ID],
        align="half-pixel",
    )
    network = copy.deepcopy(video_network)
    theirs = map_of_peer(method, network, network.layer3, x)
    assert_same_map(method, ours.values[0].double().numpy(), theirs)


@pytest.mark.parametrize("method", sorted(PEERS))
def test_a_resnet_on_an_image(method: str, image_network: nn.Module) -> None:
    # A layer with few channels, and a small image, for methods that run once per channel.
    many_runs = method in ("ablationcam", "scorecam")
    layer, size = ("layer1", 32) if many_runs else ("layer3", 64)
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2)).double()
    if many_runs:
        # A channel without a zero is set to minus ten million by pytorch-grad-cam, not to 0.
        nn.init.constant_(image_network.layer1[-1].bn2.bias, -0.2)
    [ours] = compute_cams(image_network, x, layers=[layer], methods=[method], targets=[CLASS_ID])
    theirs = map_of_peer(method, image_network, getattr(image_network, layer), x)
    assert_same_map(method, ours.values[0, 0].double().numpy(), theirs)
