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
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import video_cam
from benchmarks.speed.device_run import Run
from benchmarks.speed.folder import folder_seconds
from benchmarks.speed.network_costs import compiled, formats, gradcam, scorecam
from benchmarks.speed.pipeline import ROOT, make_clip
from benchmarks.speed.ratios import seconds
from benchmarks.speed.stage_times import StageTimes, measured
from video_cam.cli.main import main as run_command
from video_cam.layers.cache import FOLDER_VARIABLE
from video_cam.models.classifier import Classifier

NETWORKS = ("r3d_18", "mvit_v2_s")
SHORT_SECONDS, SHORT_SIZE, SHORT_CLIPS = 10, (340, 256), 8


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
        run = Run(device, Path(name), parsed.seconds, (width, height), deadline, parsed.json)
        run.found["machine"] = machine(device)
        measure(run, parsed.networks)
    sys.exit(1 if run.num_failed else 0)


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
    run.part("make the clip", 0, partial(make_clips, run))
    models = {}
    for name in networks:
        models[name] = load(run, name)
        run.part(f"{name} command", 30, partial(command, run, name))
    for name, model in models.items():
        run.part(f"{name} Grad-CAM", 10, partial(gradcam, run, model))
        run.part(f"{name} formats", 10, partial(formats, run, model))
        run.part(f"{name} Score-CAM", 10, partial(scorecam, run, model))
    for name in networks[:1]:
        run.part(f"{name} process", 30, partial(process, run, name))
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


def make_clips(run: Run) -> None:
    """The clip that is measured, and a short one to warm up with."""
    make_clip(run.folder / "clip.mp4", run.length, *run.size)
    make_clip(run.folder / "warm.mp4", 2, *run.size)


def command(run: Run, name: str) -> dict[str, Any]:
    """The whole command on the long clip, in this process when it is warm."""
    warm = [*words_for(run, name, run.folder / "warm.mp4", "warm"), "--quiet"]
    print(f"{name}: to warm up {seconds(lambda: check(run_command(warm))):.1f} s", flush=True)
    words = [*words_for(run, name, run.folder / "clip.mp4", "out"), "--quiet"]
    run.peak_mb()
    cpu = time.process_time()
    with measured(run.device) as times:
        wall = seconds(lambda: check(run_command(words)))
    cpu = time.process_time() - cpu
    print(
        f"{name}: {run.length:g} s of {run.size[0]}x{run.size[1]} take {wall:.2f} s without "
        f"start-up, {cpu:.1f} s of CPU\n"
        f"  the network runs {times.network_seconds:.2f} s: {times.network_seconds / wall:.0%} of "
        f"that time\n"
        f"  largest memory of the device: {run.peak_mb():.0f} MB"
    )
    print_stages(times)
    return times.as_json() | {"wall": wall, "cpu": cpu}


def process(run: Run, name: str) -> dict[str, float]:
    """The whole command on the long clip, as a process."""
    words = [*words_for(run, name, run.folder / "clip.mp4", "out"), "--quiet"]
    program = [sys.executable, str(ROOT / "run_video_cam.py"), *words]
    took = seconds(partial(subprocess.run, program, check=True))
    network = run.found[f"{name} command"].get("network_seconds", 0.0)
    print(f"{name}: as a process {took:.2f} s; the network runs {network / took:.0%} of that time")
    return {"wall": took}


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


if __name__ == "__main__":
    main()
