"""What limits the command on a GPU, and what the network costs there.

    python -m benchmarks.speed.gpu [--minutes 4] [--json FILE] [--networks r3d_18 mvit_v2_s]

For each network, with random weights:

- command: a clip of 60 s of 1280x720. The share of the wall time in which the network runs, with
  and without start-up; where the rest of the time goes; the largest memory.
- folder: 10 s of 340x256, clips per second.
- Grad-CAM in forwards; exact Score-CAM in seconds.
- forwards and Grad-CAM with other memory layouts and precisions, in units of fp32 as it is loaded.

The first line says which device was measured. A part that no time is left for is named.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import video_cam
from benchmarks.speed.folder import folder_seconds
from benchmarks.speed.pipeline import ROOT, make_clip
from benchmarks.speed.ratios import ratios, seconds
from benchmarks.speed.stage_times import StageTimes, measured
from video_cam.attribution.attributor import Attributor
from video_cam.cli.main import main as run_command
from video_cam.config import ExplainConfig
from video_cam.errors import first_line
from video_cam.explanation.clip_plan import plan_network
from video_cam.layers.cache import FOLDER_VARIABLE
from video_cam.models.classifier import Classifier

NETWORKS = ("r3d_18", "mvit_v2_s")
ROUNDS = 10
BATCH = 8
SCORECAM_BATCH = 32
SHORT_SECONDS, SHORT_SIZE, SHORT_CLIPS = 10, (340, 256), 8


@dataclass
class Run:
    """One run of this script: its device, sizes, the time it may take, and what it found."""

    device: str
    folder: Path
    length: float
    size: tuple[int, int]
    deadline: float
    found: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str, seconds_needed: float, function: Callable[[], Any]) -> None:
        """Run a part of the benchmark, print its time, and keep what it returns."""
        if time.perf_counter() + seconds_needed > self.deadline:
            print(f"{name}: left out, no time is left", flush=True)
            return
        began = time.perf_counter()
        self.found[name] = function()
        print(f"  ({name} took {time.perf_counter() - began:.0f} s)", flush=True)

    def synced(self, function: Callable[[], object]) -> Callable[[], None]:
        """The function, followed by a wait for the device."""

        def run() -> None:
            function()
            if self.device == "cuda":
                torch.cuda.synchronize()

        return run


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--seconds", type=float, default=60, help="of the clip")
    parser.add_argument("--size", default="1280x720", help="of the clip")
    parsed = parser.parse_args()
    width, height = map(int, parsed.size.split("x"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print("\n".join(machine(device)), flush=True)
    with tempfile.TemporaryDirectory() as name:
        os.environ[FOLDER_VARIABLE] = f"{name}/cache"
        deadline = time.perf_counter() + 60 * parsed.minutes
        run = Run(device, Path(name), parsed.seconds, (width, height), deadline)
        measure(run, parsed.networks)
    if parsed.json:
        run.found["machine"] = machine(device)
        parsed.json.write_text(json.dumps(run.found, indent=1, default=str))


def machine(device: str) -> list[str]:
    """What was measured, in lines."""
    card = "no GPU: everything below was measured on the CPU"
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        card = (
            f"{torch.cuda.get_device_name()}, {total / 2**30:.0f} GiB ({free / 2**30:.0f} free), "
            f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        )
    cores = len(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    return [card, f"torch {torch.__version__}, {cores} cores, {threads} threads of torch"]


def measure(run: Run, networks: Sequence[str]) -> None:
    """Run all parts, those first that say most."""
    clip = run.folder / "clip.mp4"
    run.part("make the clip", 0, partial(make_clip, clip, run.length, *run.size))
    models = {}
    for name in networks:
        models[name] = model = load(run, name)
        run.part(f"{name} command", 20, partial(command, run, name, clip))
        run.part(f"{name} Grad-CAM", 10, partial(gradcam, run, model))
    for name, model in models.items():
        run.part(f"{name} Score-CAM", 10, partial(scorecam, run, model))
        run.part(f"{name} formats", 10, partial(formats, run, model))
    for name in networks[:1]:
        run.part(f"{name} folder", 40, partial(folder_of_clips, run, name))
    for name, model in models.items():
        run.part(f"{name} torch.compile", 60, partial(compiled, run, model))


def load(run: Run, name: str) -> Classifier:
    """The network on the device; its weights are saved for the command."""
    model = video_cam.load_model(name, "none", device=run.device)
    torch.save(model.module.state_dict(), weights_file(run, name))
    return model


def weights_file(run: Run, name: str) -> Path:
    """Where ``load`` saves the weights."""
    return run.folder / f"{name}.pth"


def words_for(run: Run, name: str, clip: Path, out: str) -> list[str]:
    """The command's arguments."""
    words = ["--clip", str(clip), "--model", name, "--weights", str(weights_file(run, name))]
    words += ["--output-dir", str(run.folder / out), "--overwrite", "--device", run.device]
    return words


def command(run: Run, name: str, clip: Path) -> dict[str, Any]:
    """The whole command on the long clip: twice as a process, twice in this process."""
    words = [*words_for(run, name, clip, "out"), "--quiet"]
    program = [sys.executable, str(ROOT / "run_video_cam.py"), *words]
    process = partial(subprocess.run, program, check=True)
    first, again = seconds(process), seconds(process)
    check(run_command(words))  # this process is warm after it
    if run.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    cpu = time.process_time()
    with measured(run.device) as times:
        wall = seconds(lambda: check(run_command(words)))
    cpu = time.process_time() - cpu
    print(
        f"{name}: {run.length:g} s of {run.size[0]}x{run.size[1]} take {wall:.2f} s without "
        f"start-up, {cpu:.1f} s of CPU; as a process {first:.2f} s, the second time {again:.2f} s\n"
        f"  the network runs {times.network_seconds:.2f} s: {times.network_seconds / wall:.0%} of "
        f"the time without start-up, {times.network_seconds / again:.0%} of the process's\n"
        f"  largest memory of the device: {peak_mb(run):.0f} MB"
    )
    print_stages(times)
    return times.as_json() | {"wall": wall, "cpu": cpu, "process": [first, again]}


def check(status: int) -> None:
    """Raise RuntimeError where the command failed."""
    if status:
        raise RuntimeError(f"the command ended with status {status}")


def print_stages(times: StageTimes) -> None:
    """Each pass, and below it its stages, the longest first."""
    print("  pass and stage               wall s    CPU s    calls")
    for of_pass, whole in times.passes.items():
        print(f"  {of_pass:26s} {whole.wall:8.2f} {whole.cpu:8.2f} {whole.calls:8d}")
        stages = [(name, one) for (within, name), one in times.stages.items() if within == of_pass]
        for name, one in sorted(stages, key=lambda stage: -stage[1].wall):
            print(f"    {name:24s} {one.wall:8.2f} {one.cpu:8.2f} {one.calls:8d}")


def peak_mb(run: Run) -> float:
    """The most memory of the device since it was last asked, in megabytes; 0 without a GPU."""
    if run.device != "cuda":
        return 0.0
    peak = torch.cuda.max_memory_allocated() / 1e6
    torch.cuda.reset_peak_memory_stats()
    return peak


def folder_of_clips(run: Run, name: str) -> dict[str, float]:
    """Clips per second of one command for several short clips, after the network was loaded."""
    clips = run.folder / "clips"
    clips.mkdir()
    for index in range(SHORT_CLIPS):
        make_clip(clips / f"{index}.mp4", min(SHORT_SECONDS, run.length), *SHORT_SIZE)
    took, started = folder_seconds(words_for(run, name, clips, "short"), SHORT_CLIPS)
    print(
        f"{name}: {SHORT_CLIPS / took:.2f} clips per second of {SHORT_SECONDS} s of "
        f"{SHORT_SIZE[0]}x{SHORT_SIZE[1]}; {started:.1f} s from the command to the loaded network"
    )
    return {"clips_per_second": SHORT_CLIPS / took, "start": started}


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
        peak_mb(run)
        unit()
        plain = peak_mb(run)
        run.synced(partial(bound, x, [None]))()
        found[str(batch)] = {"ratio": str(ratio), "forward": took, "memory": (plain, peak_mb(run))}
        print(
            f"{model.name}, batch {batch}: Grad-CAM takes {ratio} forwards of {1e3 * took:.1f} ms; "
            f"memory {found[str(batch)]['memory'][1]:.0f} MB, of a forward {plain:.0f} MB"
        )
    return found


def scorecam(run: Run, model: Classifier) -> dict[str, float]:
    """Exact Score-CAM of one clip, in seconds."""
    x = inputs(run, model, 1)
    bound = attributor(model, methods=("scorecam",), batch_size=SCORECAM_BATCH)
    peak_mb(run)
    took = seconds(run.synced(partial(bound, x, [None])))
    memory = peak_mb(run)
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
    try:
        first = seconds(other)
    except Exception as error:  # the compiler needs a C compiler, and does not know every network
        print(f"{model.name}: torch.compile: {type(error).__name__}: {first_line(error)[:120]}")
        return {"error": first_line(error)}
    [ratio] = ratios(unit, {"": other}, ROUNDS).values()
    print(f"{model.name}: torch.compile: a forward takes {ratio} of one as it is; compiling "
          f"{first:.0f} s")  # fmt: skip
    return {"ratio": str(ratio), "compiling": first}


if __name__ == "__main__":
    main()
