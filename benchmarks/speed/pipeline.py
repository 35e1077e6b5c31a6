"""The speed and memory of the whole command, in units of the work that cannot be avoided.

    python -m benchmarks.speed.pipeline [command] [drawing] [precision] [memory] [gpu]

- command: 10 s of 340x256 and 60 s of 1280x720, in units of (decode once + the forwards + decode
  and encode once). With start-up as a process of its own, and without start-up; both without the
  perturbation check, which may take as long as the maps.
- drawing: one 1280x720 frame drawn and blended, in units of encoding it.
- precision: forwards with the memory layout channels last, and in bf16, in units of plain fp32; and
  the correlation of bf16 maps with fp32 maps.
- memory: the peak for 30 minutes of 1280x720 and for 10 seconds, bundled network.
- gpu: the share of wall time in which the network runs.

Without a name the first three are run. The weights are random, except for those of the bundled
network, as time does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

import video_cam
from benchmarks.speed.ratios import ratios, seconds
from models3d.drawn_clips import draw_clip
from video_cam.batch.network import NetworkExplainer, cpu_computes_bf16
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.explanation.sampling import span_of
from video_cam.explanation.window_reader import batches, plan_windows, read_windows
from video_cam.layers.cache import FOLDER_VARIABLE
from video_cam.models.classifier import Classifier
from video_cam.pipeline import process_clip
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import draw_caption
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.utils.allocator import keep_freed_memory
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe
from video_cam.video.writer import VideoFormat, VideoWriter

ROOT = Path(__file__).parents[2]
RATE = 28  # frames per second
SIZES = ((10, 340, 256), (60, 1280, 720))  # seconds, width, height
ROUNDS = 3
FORWARDS = {  # network -> (T, H, W) of its input
    "r3d_18": (16, 112, 112),
    "r2plus1d_18": (16, 112, 112),
    "s3d": (64, 224, 224),
    "resnet50": (8, 224, 224),
}


def make_clip(path: Path, length_seconds: float, width: int, height: int) -> None:
    """Write a moving, textured clip of RATE frames per second."""
    frames = [
        cv2.resize(frame, (width, height)) for frame in draw_clip(0, num_frames=48, size=256).frames
    ]
    with VideoWriter(path, VideoFormat(width, height, Fraction(1, RATE), Fraction(RATE))) as writer:
        for index in range(round(length_seconds * RATE)):
            position = index % 94
            # Forwards and backwards in turn.
            writer.write(frames[min(position, 94 - position)], index, 1)


def decode(path: Path) -> None:
    """Decode and convert every frame."""
    with FrameReader(path) as reader:
        for frame in reader:
            frame.rgb()


def inputs_of(path: Path, model: Classifier) -> list[torch.Tensor]:
    """The network's input for a whole clip, in batches (N, C, T, H, W)."""
    options = ExplainConfig()
    _, timeline = probe(path)
    windows = plan_windows(timeline, [span_of(timeline)], model, options)
    with FrameReader(path) as reader:
        read = read_windows(iter(reader), windows, model.preprocess)
        return [
            model.preprocess.tensor(np.stack(batch), model.device)
            for batch in batches(read, options.batch_size)
        ]


def forwards(model: Classifier, inputs: Sequence[torch.Tensor]) -> None:
    """Run the network on every batch, without gradients."""
    with torch.inference_mode():
        for x in inputs:
            model.module(x)


def encode(path: Path, target: Path) -> None:
    """Decode and encode every frame, without drawing."""
    info, timeline = probe(path)
    form = VideoFormat(info.width, info.height, timeline.time_base, info.frame_rate)
    with FrameReader(path) as reader, VideoWriter(target, form) as writer:
        for frame in reader:
            writer.write(frame.rgb(), frame.pts, timeline.duration_ticks(frame.index))


def whole_command(folder: Path) -> None:
    """Print the time of the command in units, for both sizes."""
    torch.manual_seed(0)  # other random weights can need a second pass over other windows
    model = video_cam.load_model("r3d_18", "none")
    weights = folder / "weights.pth"
    torch.save(model.module.state_dict(), weights)
    for length, width, height in SIZES:
        clip = folder / f"{length}s.mp4"
        make_clip(clip, length, width, height)
        inputs = inputs_of(clip, model)
        parts: dict[str, Callable[[], None]] = {
            "decode": partial(decode, clip),
            "forwards": partial(forwards, model, inputs),
            "decode, encode": partial(encode, clip, folder / "encoded.mp4"),
        }

        def unit(parts: dict[str, Callable[[], None]] = parts) -> None:
            for part in parts.values():
                part()

        runs: dict[str, Callable[[], None]] = {
            "without start-up": partial(_process, clip, folder, model),
            "as a command": partial(
                run_command, clip, folder, "--model", "r3d_18", "--weights", str(weights)
            ),
        }
        # One round is enough for a minute of video.
        times = ratios(unit, runs, ROUNDS if length <= 10 else 1)
        print(f"{length} s of {width}x{height}, {torch.get_num_threads()} threads")
        for name, part in parts.items():
            print(f"  {name}: {seconds(part):.2f} s")
        for name, ratio in times.items():
            print(f"  {name}: {ratio} units")


def _process(clip: Path, folder: Path, model: Classifier) -> None:
    explainer, options = NetworkExplainer(model), ExplainConfig(check=False)
    summary = process_clip(clip, folder / "out", explainer, options, RenderConfig())
    print("  stages:", {name: round(took, 2) for name, took in summary["seconds"].items()})


def run_command(clip: Path, folder: Path, *options: str) -> None:
    """Explain and draw a clip by the command, without the check.

    Args:
        clip: the clip.
        folder: for the results, and for what is found once for a network.
        options: further options of the command.
    """
    words = ["--clip", str(clip), "--output-dir", str(folder / "commands"), "--overwrite"]
    subprocess.run(
        [sys.executable, str(ROOT / "run_video_cam.py"), *words, "--no-check", *options],
        check=True,
        capture_output=True,
        env=os.environ | {FOLDER_VARIABLE: str(folder / "cache")},  # filled by the warm-up
    )


def drawing(folder: Path) -> None:
    """Print the time to draw, blend and caption one 1280x720 frame, in units of encoding it."""
    clip = folder / "drawing.mp4"
    make_clip(clip, 2, 1280, 720)
    explanation = video_cam.explain(clip, video_cam.load_model("motion3d"))
    mapper = HeatMapper(BlendedMaps(explanation)[0], explanation.geometry, "video")
    palette = Palette("inferno", 0.7)
    with FrameReader(clip) as reader:
        frames = [frame.rgb() for frame in reader]

    def draw() -> None:
        for index, frame in enumerate(frames):
            painted = overlay(frame, mapper.coarse_heat(index), mapper.box, palette)
            draw_caption(painted, ["spin", f"98%   {index / RATE:.2f} s"])

    def encode_them() -> None:
        rate = Fraction(RATE)
        with VideoWriter(folder / "d.mp4", VideoFormat(1280, 720, 1 / rate, rate)) as writer:
            for index, frame in enumerate(frames):
                writer.write(frame, index, 1)

    [ratio] = ratios(encode_them, {"draw": draw}, ROUNDS).values()
    print(f"draw and blend a 1280x720 frame: {ratio} of encoding it")


def precision() -> None:
    """Print the time of forwards in other formats, and the correlation of bf16 with fp32 maps."""
    if not cpu_computes_bf16():
        print("precision: this processor does not compute in bf16; emulating it takes minutes")
        return

    @torch.inference_mode()
    def run(net: torch.nn.Module, x: torch.Tensor, bf16: bool = False) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            net(x)

    for name, size in FORWARDS.items():
        loaded = video_cam.load_model(name, "none").module
        plain = copy.deepcopy(loaded)
        for parameter in plain.parameters():
            parameter.data = parameter.data.contiguous()
        x = torch.randn(2, 3, *size)
        runs: dict[str, Callable[[], None]] = {
            "channels last": partial(run, loaded, x),
            "channels last and bf16": partial(run, loaded, x, True),
        }
        for form, ratio in ratios(partial(run, plain, x), runs, ROUNDS).items():
            print(f"forwards of {name} in {form}: {ratio} of plain fp32")
    bundled = video_cam.load_model("motion3d")
    frames = np.stack([draw_clip(seed).frames for seed in range(30_000, 30_032)])
    given = bundled.preprocess.tensor(frames)
    for layer in ("layer3", "layer4"):
        maps = [
            video_cam.compute_cams(
                bundled.module, given, layers=[layer], precision=p, align="half-pixel"
            )[0].values
            for p in ("fp32", "bf16")
        ]
        correlations = [
            float(np.corrcoef(a.flatten(), b.flatten())[0, 1])
            for a, b in zip(*maps, strict=True)
            if a.std() > 0
        ]
        print(
            f"maps of {layer} in bf16: correlation {np.median(correlations):.4f} (median), "
            f"{min(correlations):.4f} (minimum), over {len(correlations)} clips"
        )


def memory(folder: Path) -> None:
    """Print the peak memory of the command on 10 seconds and on 30 minutes of 1280x720."""
    peaks = {}
    for length in (10, 1800):
        clip = folder / f"{length}s_large.mp4"
        make_clip(clip, length, 1280, 720)
        peaks[length] = peak_megabytes(["--clip", str(clip), "--output-dir", str(folder / "m")])
        print(f"  {length} s: {peaks[length]:.0f} MB")
    print(f"30 minutes take {peaks[1800] - peaks[10]:+.0f} MB more than 10 seconds")


def peak_megabytes(words: Sequence[str]) -> float:
    """Peak memory of the command with the bundled network, in megabytes.

    Args:
        words: the command's other arguments.

    Raises:
        RuntimeError: the command failed.
    """
    command = [sys.executable, str(ROOT / "run_video_cam.py"), "--model", "motion3d", "--quiet"]
    process = subprocess.Popen([*command, *words, "--overwrite"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the command ended with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024


def gpu(folder: Path) -> None:
    """Print the share of the wall time in which the network runs on the GPU, 60 s of 1280x720."""
    if not torch.cuda.is_available():
        print("gpu: not available")
        return
    model = video_cam.load_model("r3d_18", "none", device="cuda")
    clip = folder / "gpu.mp4"
    make_clip(clip, 60, 1280, 720)
    inputs = inputs_of(clip, model)
    forwards(model, inputs)
    torch.cuda.synchronize()
    began = time.perf_counter()
    maps = ExplainConfig(batch_size=16, check=False)
    for x in inputs:
        video_cam.compute_cams(model.module, x, layers=["layer4"], align="receptive-field")
    torch.cuda.synchronize()
    network = time.perf_counter() - began
    began = time.perf_counter()
    process_clip(clip, folder / "out", NetworkExplainer(model), maps, RenderConfig())
    print(f"gpu: the network runs {network / (time.perf_counter() - began):.0%} of the time")


def main() -> None:
    """Run the named benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("precision", "drawing", "command", "memory", "gpu")
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(names))
    what = parser.parse_args().what or names[:3]
    if wrong := set(what) - set(names):
        parser.error(f"{wrong.pop()!r} is none of {', '.join(names)}")
    keep_freed_memory()  # as the command does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "precision" in what:
            precision()
        if "drawing" in what:
            drawing(folder)
        if "command" in what:
            whole_command(folder)
        if "memory" in what:
            memory(folder)
        if "gpu" in what:
            gpu(folder)


if __name__ == "__main__":
    main()
