"""What Grad-CAM and Score-CAM cost on a device, and what other formats of numbers save there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.speed.device_run import Run
from benchmarks.speed.ratios import ratios, seconds
from video_cam.attribution.attributor import Attributor
from video_cam.config import ExplainConfig
from video_cam.explanation.network_plan import plan_network
from video_cam.models.classifier import Classifier

ROUNDS = 10
BATCH = 8
SCORECAM_BATCH = 32


def inputs(run: Run, model: Classifier, batch: int) -> Tensor:
    """Random clips for the network."""
    torch.manual_seed(0)
    return torch.randn(batch, 3, model.num_frames, *model.preprocess.crop, device=run.device)


def attributor(model: Classifier, **options: Any) -> Attributor:
    """Bound to the layer that the command explains."""
    size = (model.num_frames, *model.preprocess.crop)
    config = ExplainConfig(align="receptive-field", **options)
    plan = plan_network(model, size, None, config)
    return Attributor(
        model.module, plan.layers, config.attribution(), unpack=plan.folds, fields=plan.fields
    )


@torch.inference_mode()
def forward(module: nn.Module, x: Tensor, precision: torch.dtype | None = None) -> None:
    """One forward pass; with ``precision``, in autocast to it."""
    autocast = torch.autocast(x.device.type, precision) if precision else nullcontext()
    with autocast:
        module(x)


def gradcam(run: Run, model: Classifier) -> dict[str, Any]:
    """Grad-CAM in forwards, by batch size; the largest memory of each."""
    found: dict[str, Any] = {}
    bound = attributor(model)
    for batch in (1, BATCH):
        x = inputs(run, model, batch)
        unit = run.synced(partial(forward, model.module, x))
        [ratio] = ratios(unit, {"": run.synced(partial(bound, x, [None]))}, ROUNDS).values()
        took = seconds(unit)
        run.peak_mb()
        unit()
        plain = run.peak_mb()
        run.synced(partial(bound, x, [None]))()
        memory, busy = run.peak_mb(), run.kernel_share(partial(bound, x, [None]))
        found[str(batch)] = {
            "ratio": str(ratio), "forward": took, "memory": [plain, memory], "kernels": busy
        }  # fmt: skip
        print(
            f"{model.name}, batch {batch}: Grad-CAM takes {ratio} forwards of {1e3 * took:.1f} ms; "
            f"memory {memory:.0f} MB, of a forward {plain:.0f} MB; kernels run {busy:.0%} of it"
        )
    return found


def scorecam(run: Run, model: Classifier) -> dict[str, float]:
    """Exact Score-CAM of one clip, in seconds."""
    x = inputs(run, model, 1)
    bound = attributor(model, methods=("scorecam",), batch_size=SCORECAM_BATCH)
    run.peak_mb()
    took = seconds(run.synced(partial(bound, x, [None])))
    memory = run.peak_mb()
    print(f"{model.name}: exact Score-CAM takes {took:.2f} s; memory {memory:.0f} MB")
    return {"seconds": took, "memory": memory}


def formats(run: Run, model: Classifier) -> dict[str, str]:
    """Forwards and Grad-CAM in other formats, in units of fp32 as the network is loaded."""
    x, last = inputs(run, model, BATCH), channels_last(model.module)
    plain, of_last = attributor(model), attributor(model).of(last)
    x_last = x.contiguous(memory_format=torch.channels_last_3d)
    runs: dict[str, Callable[[], object]] = {
        "forward, channels_last_3d": partial(forward, last, x_last),
        "forward, bf16": partial(forward, model.module, x, torch.bfloat16),
        "forward, channels_last_3d, bf16": partial(forward, last, x_last, torch.bfloat16),
    }
    if run.device == "cuda":
        runs["forward, fp16"] = partial(forward, model.module, x, torch.float16)
        runs["forward, TF32 products"] = partial(with_tf32, partial(forward, model.module, x))
        runs["forward, cuDNN's choice measured"] = partial(tuned, partial(forward, model.module, x))
    unit = run.synced(partial(forward, model.module, x))
    found = ratios(unit, {name: run.synced(one) for name, one in runs.items()}, ROUNDS)
    cams: dict[str, Callable[[], object]] = {
        "Grad-CAM, channels_last_3d": run.synced(partial(of_last, x_last, [None])),
        "Grad-CAM, bf16": run.synced(partial(attributor(model, precision="bf16"), x, [None])),
    }
    found |= ratios(run.synced(partial(plain, x, [None])), cams, ROUNDS)
    for name, ratio in found.items():
        print(f"{model.name}: {name}: {ratio} of the same in fp32 as loaded")
    return {name: str(ratio) for name, ratio in found.items()}


def channels_last(module: nn.Module) -> nn.Module:
    """A copy with the weights of 3D convolutions channels last."""
    return copy.deepcopy(module).to(memory_format=torch.channels_last_3d)


def with_tf32(function: Callable[[], None]) -> None:
    """Call with matrix products of fp32 in TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        function()
    finally:
        torch.set_float32_matmul_precision(before)


def tuned(function: Callable[[], None]) -> None:
    """Call while cuDNN measures which of its convolutions is fastest."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        function()


def compiled(run: Run, model: Classifier) -> dict[str, Any]:
    """Forwards of the compiled network, in units of forwards as they are."""
    x = inputs(run, model, BATCH)
    module: Any = torch.compile(model.module)
    unit, other = (run.synced(partial(forward, one, x)) for one in (model.module, module))
    first = seconds(other)
    [ratio] = ratios(unit, {"": other}, ROUNDS).values()
    print(f"{model.name}: torch.compile: a forward takes {ratio} of one as it is; compiling "
          f"{first:.0f} s")  # fmt: skip
    return {"ratio": str(ratio), "compiling": first}
