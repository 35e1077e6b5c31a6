"""What the command does with its arguments: clips in, messages and an exit status out. No tensors.

PyTorch is imported once the arguments have been found right, and for several clips only by the
process that works on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from video_cam.cli.arguments import parse
from video_cam.cli.console import Console, set_up_logging
from video_cam.cli.settings import limits_of, load, look_of, options_of
from video_cam.errors import UsageError, VideoCamError
from video_cam.models.labels import read_labels
from video_cam.utils.progress import silent

if TYPE_CHECKING:
    from video_cam.batch.jobs import Job, Row
    from video_cam.batch.store import Store

EXIT_DONE, EXIT_CLIP_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 a clip failed, 2 wrong arguments."""
    parsed = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console(quiet=parsed.quiet, as_json=parsed.json)
    set_up_logging(parsed.log_level)
    try:
        return run(parsed, console)
    except KeyboardInterrupt:
        console.complain("interrupted: clips that were not finished left nothing behind")
        return EXIT_INTERRUPTED
    except VideoCamError as error:
        if parsed.debug:
            raise
        console.complain(str(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_CLIP_FAILED


def run(parsed: argparse.Namespace, console: Console) -> int:
    """Do what the arguments say."""
    if parsed.list_models:
        return _list_models()
    if not parsed.clip:
        raise UsageError("no clip was given: add --clip PATH")
    options_of(parsed), look_of(parsed)  # wrong ones are told of before anything is looked for
    if parsed.labels:
        read_labels(parsed.labels)
    from video_cam.video.limits import limited

    with limited(limits_of(parsed)):
        return _run_clips(parsed, console)


def _run_clips(parsed: argparse.Namespace, console: Console) -> int:
    from video_cam.batch.inputs import find_clips
    from video_cam.batch.jobs import plan_jobs
    from video_cam.batch.store import open_store

    clips = find_clips(parsed.clip)
    if parsed.n_images is not None:
        if parsed.n_images < 1:
            raise UsageError(f"--n-images {parsed.n_images} must be 1 or more")
        clips = dict(list(clips.items())[: parsed.n_images])
    if parsed.list_layers:
        return _list_layers(str(next(iter(clips))), parsed, console)
    store = open_store(parsed.output_dir)
    jobs = plan_jobs(clips, store, parsed.shard)
    for job in jobs:
        store.check(job.name)
    return _run_jobs(jobs, store, parsed, console)


def _run_jobs(
    jobs: Sequence[Job], store: Store, parsed: argparse.Namespace, console: Console
) -> int:
    from video_cam.batch.report import Tally

    with ExitStack() as stack:
        tally = stack.enter_context(Tally(jobs, store, console))
        several = console.progress("clips", len(jobs)) if len(jobs) > 1 else silent("", 1)
        step = stack.enter_context(several)
        for row in _rows(jobs, parsed, console):
            tally.add(row)
            step(1)
            if parsed.show and row.folder is not None:
                _open_page(store.shown(f"{row.folder}/index.html"))
    return EXIT_CLIP_FAILED if tally.num_failed else EXIT_DONE


def _rows(jobs: Sequence[Job], parsed: argparse.Namespace, console: Console) -> Iterator[Row]:
    if parsed.engine == "ray":
        from video_cam.batch.ray_engine import run_ray

        return run_ray(jobs, parsed, console)
    if len(jobs) == 1 and parsed.time_limit is None:
        return _here(jobs[0], parsed, console)
    from video_cam.batch.local import run_local

    return run_local(jobs, parsed, console)


def _here(job: Job, parsed: argparse.Namespace, console: Console) -> Iterator[Row]:
    """A single clip, in this process; a wrong argument is raised."""
    from video_cam.batch.jobs import failed_row
    from video_cam.batch.runner import ClipRunner
    from video_cam.batch.store import Busy

    try:
        runner = ClipRunner(parsed, console)
        try:
            yield runner.do(job, console.progress)
        except Busy:
            console.say(f"{job.clip}: another run is at work on it; waiting for its end")
            yield runner.do(job, console.progress, wait_seconds=-1)
    except VideoCamError as error:
        if parsed.debug or isinstance(error, UsageError):
            raise
        yield failed_row(job, str(error))
    except Exception as error:  # a stranger's network or file may raise anything
        if parsed.debug:
            raise
        yield failed_row(job, f"{type(error).__name__}: {error} (--debug shows where)")


def _open_page(path: str) -> None:
    import webbrowser

    webbrowser.open(path if "://" in path else Path(path).resolve().as_uri())


def _list_models() -> int:
    from video_cam.models.registry import known_models

    for name, spec in known_models().items():
        of_frames = "  frame by frame" if spec.input_layout.layout == "frames" else ""
        print(f"{name:19s} weights: {', '.join(spec.pretrained)}{of_frames}")
    return EXIT_DONE


def _list_layers(clip: str, parsed: argparse.Namespace, console: Console) -> int:
    from video_cam.cli.layer_table import layer_table

    for line in layer_table(clip, load(parsed, console), options_of(parsed)):
        print(line)
    return EXIT_DONE
