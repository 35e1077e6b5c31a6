"""One clip from its lock to its row: whatever goes wrong with it stays with it."""

from __future__ import annotations

import argparse
import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from video_cam.batch.fingerprint import digest_of_weights, fingerprint, result_files
from video_cam.batch.inputs import clip_id
from video_cam.batch.jobs import DONE, SKIPPED, Job, Row, failed_row, finished_row
from video_cam.batch.store import Busy, Store, open_store
from video_cam.cli.console import Voice
from video_cam.cli.settings import fitting, load, look_of, options_of
from video_cam.errors import ClipError, VideoCamError
from video_cam.explanation.window_result import Deal
from video_cam.pipeline import check, process
from video_cam.utils.progress import Progress, silent
from video_cam.video.container import checked_path

_log = logging.getLogger(__name__)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class ClipRunner:
    """The network, loaded once, and what is to be done with every clip."""

    def __init__(self, parsed: argparse.Namespace, voice: Voice, deal: Deal | None = None) -> None:
        self.deal = deal
        self.look = look_of(parsed)
        self.store: Store = open_store(parsed.output_dir)
        self.overwrite = parsed.overwrite
        self.model = load(parsed, voice)
        self.options = fitting(options_of(parsed), self.model, voice)
        check(self.model, self.options)
        self._weights = digest_of_weights(self.model.module)

    def run(self, job: Job, progress: Progress = silent, *, wait_seconds: float = 0) -> Row:
        """Do a job; what fails becomes a row. Raises Busy where another run is at work on it."""
        began = time.perf_counter()
        try:
            return self.do(job, progress, wait_seconds=wait_seconds)
        except Busy:
            raise
        except VideoCamError as error:
            _log.debug("%s", job.clip, exc_info=True)
            return failed_row(job, str(error), time.perf_counter() - began)
        except Exception as error:  # ten thousand clips do not stop for one
            _log.info("%s", job.clip, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            return failed_row(job, reason, time.perf_counter() - began)

    def do(self, job: Job, progress: Progress = silent, *, wait_seconds: float = 0) -> Row:
        """Do a job, or find it done; whatever fails is raised."""
        began = time.perf_counter()
        self.store.check(job.name)
        with self.store.claim(job.name, wait_seconds), _space_named():
            checked_path(job.clip)
            options = replace(self.options, class_ids=job.class_ids or self.options.class_ids)
            mark = fingerprint(job.clip, self.model, self._weights, options, self.look)
            found = None if self.overwrite else self._finished(job, mark)
            if found is not None:
                return finished_row(job, found, SKIPPED, time.perf_counter() - began)
            marks = {"fingerprint": mark, "clip_id": clip_id(job.clip)}
            with self.store.writing(job.name) as folder:
                summary = process(job.clip, folder, self.model, options, self.look, progress, marks)
            return finished_row(job, summary, DONE, time.perf_counter() - began)

    def _finished(self, job: Job, mark: str) -> dict[str, Any] | None:
        """The summary of an earlier result with this fingerprint, if its files are still there."""
        summary = self.store.summary(job.name)
        if summary is None or summary.get("fingerprint") != mark:
            return None
        return summary if self.store.holds(job.name, result_files(summary)) else None


@contextmanager
def _space_named() -> Iterator[None]:
    """A full disk says so in one line, whoever met it."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise ClipError("the disk is full: make room, and run again to do the rest") from error
        raise
