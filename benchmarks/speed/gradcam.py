"""One Grad-CAM of r3d_18 layer4 in units of one inference forward, for this and other tools.

    python -m benchmarks.speed.gradcam [--rounds 7]

The network has random weights, as time does not depend on them. Every tool computes one class of
one 16x112x112 clip on the CPU in fp32.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch import Tensor, nn
from torchvision.models.video import r3d_18

from benchmarks.speed.ratios import ratios
from video_cam import compute_cams

CLASS_ID = 7


def ours(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """This project."""
    return lambda: compute_cams(
        model, x, layers=["layer4"], targets=[CLASS_ID], align="receptive-field"
    )


def pytorch_grad_cam(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """pytorch-grad-cam's GradCAM."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = GradCAM(model=model, target_layers=[model.get_submodule("layer4.1")])
    return lambda: cam(input_tensor=x, targets=[ClassifierOutputTarget(CLASS_ID)])


def captum(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """Captum's LayerGradCam."""
    from captum.attr import LayerGradCam

    cam = LayerGradCam(model, model.layer4)
    return lambda: cam.attribute(x, target=CLASS_ID)


def torchcam(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """torchcam's GradCAM."""
    from torchcam.methods import GradCAM

    cam = GradCAM(model, target_layer="layer4")

    def run() -> object:
        return cam(CLASS_ID, model(x))

    return run


PEERS = {
    "pytorch-grad-cam": ("grad-cam", pytorch_grad_cam),
    "captum": ("captum", captum),
    "torchcam": ("torchcam", torchcam),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    x = torch.randn(1, 3, 16, 112, 112)

    def network() -> nn.Module:
        # One for each tool, as some leave hooks behind.
        return r3d_18(weights=None).eval()

    plain = network()

    def forward() -> None:
        with torch.inference_mode():
            plain(x)

    runs = {"video_cam": ours(network(), x)}
    for name, (package, build) in PEERS.items():
        runs[f"{name} {version(package)}"] = build(network(), x)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds")
    print("| tool | one Grad-CAM, in inference forwards |\n|---|---|")
    for name, ratio in ratios(forward, runs, rounds).items():
        print(f"| {name} | {ratio} |")


if __name__ == "__main__":
    main()
