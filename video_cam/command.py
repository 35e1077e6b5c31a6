"""What the command does with its arguments: options, clips, messages, exit status. No tensors.

PyTorch is imported once the arguments have been found right.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from video_cam.arguments import build_parser
from video_cam.errors import UsageError, VideoCamError
from video_cam.look import Look
from video_cam.options import Options, make_options

if TYPE_CHECKING:
    from pathlib import Path

    from video_cam.models import Classifier

EXIT_DONE, EXIT_CLIP_FAILED, EXIT_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 a clip failed, 2 wrong arguments."""
    parsed = build_parser().parse_args(arguments)
    try:
        return run(parsed)
    except KeyboardInterrupt:
        return _complain("interrupted: clips that were not finished left nothing behind", 130)
    except VideoCamError as error:
        if parsed.debug:
            raise
        status = EXIT_USAGE if isinstance(error, UsageError) else EXIT_CLIP_FAILED
        return _complain(str(error), status)


def run(parsed: argparse.Namespace) -> int:
    """Do what the arguments say."""
    if parsed.list_models:
        return _list_models()
    if not parsed.clip:
        raise UsageError("no clip was given: add --clip PATH")
    options, look = _options(parsed), _look(parsed)
    clips = _clips(parsed)
    from video_cam.models import load_model

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
    for found in (summary["check"], summary["sanity"]):
        if found:
            _say(f"check: {found['sentence']}")
    scores = ", ".join(f"{t['label']} {t['score']:.0%}" for t in summary["targets"])
    _say(f"{summary['clip']['path']}: {scores}; {seconds:.1f} s; see {folder / 'index.html'}")


def _show(folder: Path, parsed: argparse.Namespace) -> None:
    if parsed.show:
        import webbrowser

        webbrowser.open((folder / "index.html").resolve().as_uri())


def _clips(parsed: argparse.Namespace) -> list[Path]:
    from video_cam.clips import find_clips

    return find_clips(parsed.clip)


def _list_models() -> int:
    from video_cam.models import MODELS

    for name, row in MODELS.items():
        print(f"{name:14s} weights: {', '.join(row.pretrained)}")
    return EXIT_DONE


def _list_layers(clip: Path, model: Classifier, options: Options) -> int:
    from video_cam.layers import layer_table

    for line in layer_table(str(clip), model, options):
        print(line)
    return EXIT_DONE


def _options(parsed: argparse.Namespace) -> Options:
    names = set(Options.__dataclass_fields__) - {"methods", "class_ids"}
    values = {name: getattr(parsed, name) for name in names}
    return make_options(values | {"methods": parsed.method, "class_ids": parsed.class_id})


def _look(parsed: argparse.Namespace) -> Look:
    return Look(**{name: getattr(parsed, name) for name in Look.__dataclass_fields__})


def _device(parsed: argparse.Namespace) -> str:
    """--device, else CUDA where it was asked for and is there, else the CPU."""
    import torch

    wanted = parsed.device or ("cuda" if parsed.use_cuda else "cpu")
    if wanted.split(":")[0] == "cuda" and not torch.cuda.is_available():
        print("warning: there is no CUDA device; running on the CPU", file=sys.stderr)
        return "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {wanted!r} cannot be used: try cpu, cuda or cuda:1") from error
    return wanted


def _say(message: str) -> None:
    print(message, flush=True)


def _complain(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status
