"""``python -m video_cam.doctor``: a report on the installation, to be added to bug reports.

Versions, devices, codecs, free disk space, cached weights, and a self-test with the bundled
network. Nothing is sent anywhere.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from video_cam.errors import VideoCamError
from video_cam.utils.cores import usable_cores
from video_cam.utils.text import for_terminal
from video_cam.utils.version import __version__

PACKAGES = (
    *("torch", "torchvision", "numpy", "opencv-python", "av", "safetensors", "matplotlib"),
    *("pillow", "jinja2", "tqdm", "filelock", "timm", "transformers", "onnxruntime"),
    *("ray", "fsspec", "gradio"),
)
DECODERS = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "prores", "gif", "mjpeg")
ENCODERS = ("libx264", "aac")
SEED, ACTION = 105, "dash right"  # a clip on which the bundled network was not trained


def main() -> int:
    """Print the report.

    Returns:
        The exit status: 0 if every section could be written and the self-test passed, else 1.
    """
    all_passed = True
    for title, write_lines in SECTIONS.items():
        print(f"{title}:")
        try:
            for line in write_lines():
                print(for_terminal(f"  {line}"), flush=True)
        except Exception as error:  # whatever is broken belongs in the report
            all_passed = False
            print(for_terminal(f"  FAILED: {type(error).__name__}: {error}"), flush=True)
    return 0 if all_passed else 1


def _versions() -> Iterator[str]:
    yield f"video_cam {__version__}"
    yield f"Python {platform.python_version()} at {sys.executable}"
    yield platform.platform()
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package}: not installed"


def _devices() -> Iterator[str]:
    import torch

    yield f"CPU: {usable_cores()} cores, {torch.get_num_threads()} threads of PyTorch"
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield f"memory: {memory / 2**30:.1f} GiB"
    if not torch.cuda.is_available():
        yield f"CUDA: none (PyTorch was built for {torch.version.cuda or 'the CPU only'})"
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield (
            f"cuda:{index}: {device.name}, {device.total_memory / 2**30:.1f} GiB, CUDA "
            f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        )


def _codecs() -> Iterator[str]:
    import av

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}" for name, number in av.library_versions.items()
    )
    yield f"FFmpeg's {libraries}"
    yield f"reads: {_available(DECODERS, 'r')}"
    yield f"writes: {_available(ENCODERS, 'w')}"


def _available(names: tuple[str, ...], mode: Literal["r", "w"]) -> str:
    """The codecs by name, those that FFmpeg lacks marked as missing."""
    from av.codec.codec import Codec, UnknownCodecError

    def marked(name: str) -> str:
        try:
            Codec(name, mode)
        except UnknownCodecError:
            return f"{name} MISSING"
        return name

    return ", ".join(map(marked, names))


def _disk() -> Iterator[str]:
    temporary = Path(tempfile.gettempdir())
    for name, folder in (("current folder", Path.cwd()), ("temporary files", temporary)):
        yield f"{name}, {folder}: {shutil.disk_usage(folder).free / 2**30:.1f} GiB free"


def _weights() -> Iterator[str]:
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    files = sorted(f for f in folder.glob("*") if f.is_file()) if folder.is_dir() else []
    yield f"{folder}: {'no weights' if not files else ''}".rstrip(": ")
    for file in files:
        yield f"{file.name}, {file.stat().st_size / 2**20:.0f} MiB"


def _self_test() -> Iterator[str]:
    """Draw a clip, explain it with the bundled network, and write all results."""
    import video_cam
    from models3d.drawn_clips import CLASSES, draw_clip
    from models3d.residual3d import FRAME_RATE
    from video_cam.models.registry import BUNDLED
    from video_cam.video.writer import write_clip

    began = time.perf_counter()
    drawn = draw_clip(SEED, class_id=CLASSES.index(ACTION))
    with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
        clip = Path(folder) / "drawn.mp4"
        write_clip(clip, drawn.frames, Fraction(FRAME_RATE))
        explanation = video_cam.explain(clip, video_cam.load_model(BUNDLED))
        summary = video_cam.render(clip, explanation, Path(folder) / "results")
    prediction = summary["predictions"][0]
    if prediction["label"] != ACTION:
        raise VideoCamError(f"drew {ACTION!r}, but {BUNDLED} predicted {prediction['label']!r}")
    yield (
        f"passed: drew {ACTION!r}, {BUNDLED} predicted it ({prediction['score']:.0%}), "
        f"{time.perf_counter() - began:.1f} s"
    )


SECTIONS: dict[str, Callable[[], Iterator[str]]] = {
    "versions": _versions,
    "devices": _devices,
    "codecs": _codecs,
    "disk": _disk,
    "cached weights": _weights,
    "self-test": _self_test,
}

if __name__ == "__main__":
    sys.exit(main())
