"""The time of every method on r3d_18 in units of one inference forward, and that of other tools.

    python -m benchmarks.speed.methods [--rounds 3] [--only METHOD ...] [--skip METHOD ...] [--bf16]

One 16x112x112 clip on the CPU in fp32, one class, random weights. Each row runs in a process of its
own. Its time, without imports, is the median ratio to a forward that is timed just before it. Its
memory is the peak above that of a plain forward, in clips (2.4 MB). Rows that take over a minute
are run once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.ratios import ratios, seconds
from benchmarks.truth.peer_classes import CAPTUM, PYTORCH_GRAD_CAM, TORCHCAM
from video_cam.choice_names import INPUT_METHOD_NAMES, METHOD_NAMES
from video_cam.errors import first_line

LAYERS = ("layer4", "layer3")
SIX_METHODS = ["gradcam", "gradcam++", "xgradcam", "eigencam", "eigengradcam", "layercam"]
ALL_SIX = "six, both layers"
SLOW_METHODS = ("scorecam", *INPUT_METHOD_NAMES)
CLASS_ID = 7
CLIP_MB = 3 * 16 * 112 * 112 * 4 / 1e6

PEERS = {"pytorch-grad-cam": PYTORCH_GRAD_CAM, "torchcam": TORCHCAM, "captum": CAPTUM}


def ours(model: Any, x: Any, method: str, layer: str, precision: str) -> Callable[[], object]:
    """This project."""
    from video_cam import compute_cams

    methods, layers = ([method], [layer]) if method != ALL_SIX else (SIX_METHODS, list(LAYERS))
    options: dict[str, Any] = {"batch_size": 4, "precision": precision, "align": "receptive-field"}
    layers = [] if method in INPUT_METHOD_NAMES else layers
    return lambda: compute_cams(
        model, x, layers=layers, methods=methods, targets=[CLASS_ID], **options
    )


def pytorch_grad_cam(model: Any, x: Any, method: str, layer: str) -> Callable[[], object]:
    """pytorch-grad-cam."""
    import pytorch_grad_cam as package
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = getattr(package, PYTORCH_GRAD_CAM[method])(
        model=model, target_layers=[model.get_submodule(f"{layer}.1")]
    )
    targets = None if method == "finercam" else [ClassifierOutputTarget(CLASS_ID)]
    return lambda: cam(x, targets)


def torchcam(model: Any, x: Any, method: str, layer: str) -> Callable[[], object]:
    """torchcam."""
    import torchcam.methods as package

    cam = getattr(package, TORCHCAM[method])(model, target_layer=layer)
    return lambda: cam(CLASS_ID, model(x))


def captum(model: Any, x: Any, method: str, layer: str) -> Callable[[], object]:
    """Captum."""
    import captum.attr as package

    cam = getattr(package, CAPTUM[method])(model, model.get_submodule(layer))
    return lambda: cam.attribute(x, target=CLASS_ID)


BUILD = {"pytorch-grad-cam": pytorch_grad_cam, "torchcam": torchcam, "captum": captum}


def peak_mb(run: Callable[[], object]) -> float:
    """Peak memory of this process during a call, in megabytes; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    run()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def measure(tool: str, method: str, layer: str, rounds: int, precision: str) -> dict[str, Any]:
    """Measure one row in this process.

    Returns:
        "cost" in forwards and "clips" of memory; or "error", one line, where the tool fails.
    """
    import torch
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    model, plain = r3d_18().eval(), r3d_18().eval()
    x = torch.randn(1, 3, 16, 112, 112)

    def forward() -> None:
        with torch.inference_mode():
            plain(x)

    try:
        if tool == "video_cam":
            run = ours(model, x, method, layer, precision)
        else:
            run = BUILD[tool](model, x, method, layer)
        seconds(forward), seconds(forward)
        before = peak_mb(forward)
        if method in SLOW_METHODS:
            # The extra time of a first call is not part of the method.
            ours(model, x, "gradcam", layer, precision)()
            unit = min(seconds(forward) for _ in range(3))
            times: list[float] = []
            after = peak_mb(lambda: times.append(seconds(run)))
            return {"cost": times[0] / unit, "clips": (after - before) / CLIP_MB}
        run()
        after = peak_mb(run)
        cost = ratios(forward, {"row": run}, rounds)["row"].median
        return {"cost": cost, "clips": (after - before) / CLIP_MB}
    # Any exception of a tool is its result.
    except Exception as error:
        return {"error": f"{type(error).__name__}: {first_line(error)[:80]}"}


def measure_in_process(
    tool: str, method: str, layer: str, rounds: int, precision: str
) -> dict[str, Any]:
    """``measure`` in a new process."""
    program = [sys.executable, "-m", "benchmarks.speed.methods", "--rounds", str(rounds)]
    done = subprocess.run(
        [*program, "--row", tool, method, layer, precision],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 else {"error": "the process ended"}


def cell(result: dict[str, Any]) -> str:
    """The table cell of a result."""
    if "error" in result:
        return f"fails ({result['error']})"
    return f"{result['cost']:.2f} ({max(result['clips'], 0):.0f})"


def main() -> None:
    """Print the table, or one row as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--skip", nargs="+", default=[])
    parser.add_argument("--bf16", action="store_true", help="autocast to bf16; only this project")
    parser.add_argument("--row", nargs=4, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.row:
        tool, method, layer, precision = parsed.row
        print(json.dumps(measure(tool, method, layer, parsed.rounds, precision)))
        return
    precision = "bf16" if parsed.bf16 else "fp32"
    methods = parsed.only or [m for m in (*METHOD_NAMES, ALL_SIX) if m not in parsed.skip]
    print("cost in forwards (peak memory above a forward's, in clips)")
    print("| method | layer4 | layer3 | peers, layer4 |\n|---|---|---|---|")
    for method in methods:
        layers = LAYERS[:1] if method in (ALL_SIX, *INPUT_METHOD_NAMES) else LAYERS

        def measured(tool: str, layer: str, method: str = method) -> str:
            return cell(measure_in_process(tool, method, layer, parsed.rounds, precision))

        cells = [measured("video_cam", layer) for layer in layers]
        peers = [
            f"{peer} {measured(peer, LAYERS[0])}"
            for peer, table in PEERS.items()
            if method in table and not parsed.bf16
        ]
        cells += [""] * (2 - len(cells)) + ["; ".join(peers)]
        print(f"| {method} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
