"""The command: arguments in, messages and an exit status out. No tensors.

PyTorch is imported only after the arguments have been found right, and for several clips only by
the process that explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from video_cam.batch.logs import set_up_logging
from video_cam.cli import app, demo, export, verify
from video_cam.cli.arguments import CommandOptions, command_options, parse, run_config
from video_cam.cli.console import Console
from video_cam.errors import UsageError, VideoCamError
from video_cam.models.labels import read_labels
from video_cam.utils.allocator import keep_freed_memory
from video_cam.utils.garbage import leave_out_start_up
from video_cam.utils.interrupts import handle_interrupts
from video_cam.utils.progress import silent

if TYPE_CHECKING:
    from video_cam.batch.inputs import Clips
    from video_cam.batch.jobs import ClipRecord, Job
    from video_cam.batch.run_config import RunConfig
    from video_cam.batch.store import Store

EXIT_DONE, EXIT_CLIP_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
EXIT_NO_READER = 141  # of stdout; what shells give for processes that end by SIGPIPE


def run_process() -> int:
    """``main`` as a process of its own, with settings that hold for the whole process.

    SIGTERM, by which a cluster ends a job, is handled as an interrupt: what is unfinished is
    removed, and the list of results is written.
    """
    try:
        handle_interrupts()
        keep_freed_memory()
        leave_out_start_up()
        return main()
    except KeyboardInterrupt:  # before main could handle it
        return EXIT_INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: words of the command line; None for those of this process.

    Returns:
        The exit status: 0 all done; 1 a clip failed, or the files that list all clips cannot be
        written; 2 wrong arguments; 130 interrupted; 141 where nobody reads stdout any more and
        clips are left.

    Raises:
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == [verify.NAME]:
        return _folder_command(verify.run_verify, words[1:])
    if words[:1] == [export.NAME]:
        return _folder_command(export.run_export, words[1:])
    if words[:1] == [demo.NAME]:
        return _demo(words[1:])
    if words[:1] == [app.NAME]:
        return _app(words[1:])
    parsed = parse(words)
    options = command_options(parsed)
    console = Console(quiet=options.quiet, as_json=options.as_json)
    set_up_logging(parsed.log_level)
    try:
        if options.list_models:
            return _list_models(console)
        if not options.clips:
            raise UsageError("no clip was given: add --clip PATH")
        return _run(options, run_config(parsed), console)
    except KeyboardInterrupt:
        console.error("interrupted: clips that were not finished left nothing behind")
        return EXIT_INTERRUPTED
    except VideoCamError as error:
        if options.debug:
            raise
        console.error(str(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_CLIP_FAILED


def _folder_command(run: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """A command on finished results."""
    try:
        return run(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except VideoCamError as error:
        Console(quiet=False, as_json=False).error(str(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_CLIP_FAILED


def _demo(words: Sequence[str]) -> int:
    try:
        return main(demo.demo_options(words))
    except UsageError as error:
        Console(quiet=False, as_json=False).error(str(error))
        return EXIT_USAGE


def _app(words: Sequence[str]) -> int:
    try:
        return app.run_app(words)
    except KeyboardInterrupt:  # the way to end it
        return EXIT_DONE
    except UsageError as error:
        Console(quiet=False, as_json=False).error(str(error))
        return EXIT_USAGE


def _run(options: CommandOptions, config: RunConfig, console: Console) -> int:
    if config.model.labels:
        read_labels(config.model.labels)  # a wrong file is reported before clips are searched
    from video_cam.batch.ground_truth import FOLDERS, find_truth
    from video_cam.batch.inputs import find_clips, relative_names
    from video_cam.batch.jobs import plan_jobs
    from video_cam.batch.store import open_store

    by_folder = FOLDERS in options.truth
    found = find_clips(options.clips, recursive=by_folder)
    clips = _chosen_clips(found, options)
    if options.list_layers:
        return _list_layers(str(next(iter(clips))), config, console)
    stream = config.explain.video_stream
    truth = find_truth(options.truth, options.clips, list(found), config.limits, stream)
    store = open_store(config.output_dir)
    store.prepare()
    relative = relative_names(options.clips, list(clips)) if by_folder else {}
    jobs = plan_jobs(clips, store, options.shard, truth.truths, relative)
    store.check_all([job.name for job in jobs])
    config = replace(config, num_clips=len(jobs), truth=truth.check)
    return _run_jobs(jobs, store, options, config, console)


def _chosen_clips(clips: Clips, options: CommandOptions) -> Clips:
    """All clips, or the first ones where only so many are asked for."""
    if options.max_clips is None:
        return clips
    if options.max_clips < 1:
        raise UsageError(f"--n-images {options.max_clips} must be 1 or more")
    return dict(list(clips.items())[: options.max_clips])


def _run_jobs(
    jobs: Sequence[Job], store: Store, options: CommandOptions, config: RunConfig, console: Console
) -> int:
    from video_cam.batch.report import RunReport

    with ExitStack() as stack:
        report = stack.enter_context(RunReport(jobs, store, console))
        progress = console.progress("clips", len(jobs)) if len(jobs) > 1 else silent("", 1)
        step = stack.enter_context(progress)
        for record in _records(jobs, options, config, console):
            report.add(record)
            step(1)
            if options.show and record.folder is not None:
                _open_page(store.shown(f"{record.folder}/index.html"))
            if not console.has_reader:
                break
    if report.num_not_tried and not console.has_reader:
        return EXIT_NO_READER
    return EXIT_DONE if report.is_complete else EXIT_CLIP_FAILED


def _records(
    jobs: Sequence[Job], options: CommandOptions, config: RunConfig, console: Console
) -> Iterator[ClipRecord]:
    """The records of the jobs as they are finished, from the engine that is asked for."""
    if config.engine == "ray":
        from video_cam.batch.ray_engine import run_ray

        yield from run_ray(jobs, config, console)
        return
    from video_cam.batch.local import run_in_this_process, run_local

    if len(jobs) == 1 and config.time_limit is None:
        yield run_in_this_process(jobs[0], config, console, raise_errors=options.debug)
    else:
        yield from run_local(jobs, config, console)


def _open_page(path: str) -> None:
    import webbrowser

    webbrowser.open(path if "://" in path else Path(path).resolve().as_uri())


def _list_models(console: Console) -> int:
    from video_cam.models.registry import known_models

    for name, spec in known_models().items():
        of_frames = "  frame by frame" if spec.input_layout.layout == "frames" else ""
        console.line(f"{name:19s} weights: {', '.join(spec.pretrained)}{of_frames}")
    return EXIT_DONE


def _list_layers(clip: str, config: RunConfig, console: Console) -> int:
    from video_cam.batch.network import load_network
    from video_cam.cli.layer_table import layer_table
    from video_cam.video.clip import Clip

    model = load_network(config.model, config.explain, console)
    opened = Clip.open(clip, config.limits, config.explain.bit_depth, config.explain.video_stream)
    for line in layer_table(opened, model, config.explain):
        console.line(line)
    return EXIT_DONE
