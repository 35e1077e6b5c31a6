"""The command: a clip in, an annotated video out.

    python run_video_cam.py --clip v.mp4 --use-cuda

Only arguments, messages and exit status live here. PyTorch is imported after the arguments have
been read, so that --help and a wrong argument answer at once.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from video_cam.models import Classifier
    from video_cam.options import Options
    from video_cam.render import Look

EXIT_DONE, EXIT_CLIP_FAILED, EXIT_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 a clip failed, 2 wrong arguments."""
    parsed = build_parser().parse_args(arguments)
    try:
        return run(parsed)
    except KeyboardInterrupt:
        return _complain("interrupted: clips that were not finished left nothing behind", 130)
    except Exception as error:
        from video_cam.errors import UsageError, VideoCamError

        if parsed.debug or not isinstance(error, VideoCamError):
            raise
        status = EXIT_USAGE if isinstance(error, UsageError) else EXIT_CLIP_FAILED
        return _complain(str(error), status)


def run(parsed: argparse.Namespace) -> int:
    """Do what the arguments say."""
    from video_cam.models import MODELS

    if parsed.list_models:
        for name, row in MODELS.items():
            print(f"{name:14s} weights: {', '.join(row.pretrained)}")
        return EXIT_DONE
    from video_cam.clips import find_clips
    from video_cam.errors import UsageError
    from video_cam.models import load_model

    if not parsed.clip:
        raise UsageError("no clip was given: add --clip PATH")
    clips = find_clips(parsed.clip)
    options, look = _options(parsed), _look(parsed)
    model = load_model(
        parsed.model, parsed.weights, labels=parsed.labels, device=_device(parsed), say=_say
    )
    _say(f"model {model.name} ({model.weights}) on {model.device}")
    if parsed.list_layers:
        return _list_layers(clips[0], model, options)
    return _process(clips, model, options, look, parsed)


def _process(
    clips: Sequence[Path],
    model: Classifier,
    options: Options,
    look: Look,
    parsed: argparse.Namespace,
) -> int:
    """Every clip, one after the other; a clip that fails is reported and the rest go on."""
    from video_cam.clips import output_folders
    from video_cam.errors import VideoCamError
    from video_cam.fingerprint import digest_of_weights, fingerprint, finished_summary
    from video_cam.pipeline import check, process
    from video_cam.progress import bar

    folders = output_folders(clips, parsed.output_dir)
    check(model, options, folders)
    weights = digest_of_weights(model.module)
    failed = []
    for clip, folder in zip(clips, folders, strict=True):
        began = time.perf_counter()
        mark = fingerprint(clip, model, weights, options, look)
        if not parsed.overwrite and finished_summary(folder, mark):
            _say(f"{clip}: finished before, nothing has changed; see {folder / 'index.html'}")
            _show(folder, parsed)
            continue
        try:
            summary = process(clip, folder, model, options, look, bar, mark)
        except VideoCamError as error:
            if len(clips) == 1:
                raise
            if parsed.debug:
                traceback.print_exc()
            failed.append(str(clip))
            _complain(str(error), EXIT_CLIP_FAILED)
            continue
        _report(summary, folder, time.perf_counter() - began)
        _show(folder, parsed)
    if failed:
        _complain(f"{len(failed)} of {len(clips)} clips failed: {', '.join(failed)}", 1)
    return EXIT_CLIP_FAILED if failed else EXIT_DONE


def _report(summary: dict[str, Any], folder: Path, seconds: float) -> None:
    for note in summary["notes"]:
        _say(f"note: {note}")
    scores = ", ".join(f"{t['label']} {t['score']:.0%}" for t in summary["targets"])
    _say(f"{summary['clip']['path']}: {scores}; {seconds:.1f} s; see {folder / 'index.html'}")


def _show(folder: Path, parsed: argparse.Namespace) -> None:
    if parsed.show:
        import webbrowser

        webbrowser.open((folder / "index.html").resolve().as_uri())


def _list_layers(clip: Path, model: Classifier, options: Options) -> int:
    from video_cam.layers import layer_table

    for line in layer_table(str(clip), model, options):
        print(line)
    return EXIT_DONE


def _options(parsed: argparse.Namespace) -> Options:
    from video_cam.options import Options, make_options

    names = set(Options.__dataclass_fields__) - {"methods", "class_ids"}
    values = {name: getattr(parsed, name) for name in names}
    return make_options(values | {"methods": parsed.method, "class_ids": parsed.class_id})


def _look(parsed: argparse.Namespace) -> Look:
    from video_cam.render import Look

    return Look(**{name: getattr(parsed, name) for name in Look.__dataclass_fields__})


def _device(parsed: argparse.Namespace) -> str:
    """--device, else CUDA where it was asked for and is there, else the CPU."""
    import torch

    from video_cam.errors import UsageError

    wanted = parsed.device or ("cuda" if parsed.use_cuda else "cpu")
    if wanted.split(":")[0] == "cuda" and not torch.cuda.is_available():
        print("warning: there is no CUDA device; running on the CPU", file=sys.stderr)
        return "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {wanted!r} cannot be used: try cpu, cuda or cuda:1") from error
    return wanted


def build_parser() -> argparse.ArgumentParser:
    """Every option of the command, with its aliases."""
    parser = argparse.ArgumentParser(
        prog="run_video_cam.py",
        description="Draw on every frame of a clip what a video network looked at.",
        epilog="Exit status: 0 all done, 1 a clip failed (the others are done), 2 wrong arguments.",
        allow_abbrev=False,
    )
    _add_input(parser.add_argument_group("input"))
    _add_model(parser.add_argument_group("model"))
    _add_what(parser.add_argument_group("what to explain"))
    _add_time(parser.add_argument_group("time"))
    _add_look(parser.add_argument_group("map and look"))
    _add_output(parser.add_argument_group("output"))
    _add_machine(parser.add_argument_group("machine"))
    return parser


def _add_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--clip",
        "--image-path",
        "--image-dir",
        nargs="+",
        default=[],
        metavar="PATH",
        help="videos, GIFs, still images, folders of numbered frames, folders of clips, globs",
    )


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        "--network",
        metavar="NAME",
        help="a name from --list-models; default: r3d_18 with Kinetics-400 weights where they can "
        "be had, else the bundled network",
    )
    group.add_argument(
        "--weights",
        "--weight-path",
        metavar="NAME|FILE|none",
        help="a pretrained entry, a .pth or .safetensors file, or none for random weights",
    )
    group.add_argument(
        "--labels",
        "--labels-path",
        metavar="FILE",
        help="class names: one per line, or a JSON list",
    )
    group.add_argument("--list-models", action="store_true", help="print the networks and leave")
    group.add_argument(
        "--list-layers",
        action="store_true",
        help="print the layers of this network for this clip and leave",
    )


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        nargs="+",
        default=["gradcam"],
        metavar="NAME",
        help="gradcam (default), gradcam++, xgradcam, hirescam, gradcam-elementwise, layercam, "
        "eigencam, eigengradcam, ablationcam, scorecam, fullgrad, finercam, shapleycam, fem, cam, "
        "smoothgradcam++",
    )
    group.add_argument(
        "--layer",
        "--layer-name",
        dest="layers",
        nargs="+",
        metavar="NAME",
        help="modules whose output is mapped (default: the network's own, see --list-layers)",
    )
    group.add_argument(
        "--class-id",
        nargs="+",
        default=[],
        metavar="ID|NAME",
        help="classes to explain (default: the best of the whole clip)",
    )
    group.add_argument("--top-k", type=int, default=1, metavar="K", help="explain the K best")
    group.add_argument("--worst", action="store_true", help="and the least probable class")
    group.add_argument(
        "--aug-smooth",
        action="store_true",
        help="the mean map of six versions: flipped left to right or not, times 0.9, 1 and 1.1",
    )
    group.add_argument(
        "--eigen-smooth",
        action="store_true",
        help="the first principal component of the weighted activations in place of their sum",
    )
    group.add_argument(
        "--guided",
        action="store_true",
        help="also write guided/: network input | guided backprop | guided Grad-CAM",
    )
    group.add_argument(
        "--max-channels",
        type=int,
        metavar="N",
        help="scorecam runs only the N channels that vary most (default: all, which is exact)",
    )


def _add_time(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sampling",
        default="windows",
        metavar="windows|uniform",
        help="overlapping windows at the network's frame rate, or keyframes over the whole clip",
    )
    group.add_argument("--num-frames", type=int, metavar="N", help="frames the network is given")
    group.add_argument(
        "--frame-rate",
        type=_fraction,
        metavar="FPS",
        help="frames per second the network is given (default: as it was trained)",
    )
    group.add_argument(
        "--window-stride",
        type=int,
        metavar="N",
        help="frames (of those given) between windows (default: half a window)",
    )
    group.add_argument("--start", type=float, metavar="SECONDS", help="where to begin")
    group.add_argument("--end", type=float, metavar="SECONDS", help="where to stop")


def _add_look(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--align",
        default="receptive-field",
        metavar="NAME",
        help="where a layer's cells sit: receptive-field, half-pixel or corners",
    )
    group.add_argument(
        "--pooling",
        default="clip",
        metavar="clip|frame",
        help="pool gradients over the window, or at each time step by itself",
    )
    group.add_argument(
        "--normalize",
        default="video",
        metavar="video|window|frame",
        help="what full heat is: the largest value in the video, the window or the frame",
    )
    group.add_argument(
        "--colormap",
        default="inferno",
        metavar="NAME",
        help="inferno, magma, plasma, viridis, cividis, turbo, jet or hot",
    )
    group.add_argument(
        "--alpha", type=float, default=0.7, metavar="0...1", help="opacity of full heat"
    )
    group.add_argument(
        "--layout",
        default="overlay",
        metavar="overlay|side-by-side|strip",
        help="the overlay; source and overlay; source, heat map and overlay",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output-dir",
        "--save-dir",
        default="outputs",
        metavar="DIR",
        help="results go to DIR/<clip's name>/ (default: outputs)",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="make finished results again, though clip, weights and options have not changed",
    )
    group.add_argument(
        "--max-keyframes",
        type=int,
        default=240,
        metavar="N",
        help="save at most N keyframes, evenly spread (default: 240)",
    )
    group.add_argument("--show", action="store_true", help="open the page when done")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--use-cuda", action="store_true", help="run on the GPU where there is one")
    group.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps, ...")
    group.add_argument("--precision", default="fp32", metavar="fp32|bf16", help="default: fp32")
    group.add_argument(
        "--batch-size", type=int, default=4, metavar="N", help="windows in one pass (default: 4)"
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no frame rate: give 15 or 30000/1001"
        ) from error


def _say(message: str) -> None:
    print(message, flush=True)


def _complain(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
