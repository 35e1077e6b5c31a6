"""One clip from its lock to its record; an error of one clip does not stop the others."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from video_cam.batch.fingerprint import fingerprint, required_files
from video_cam.batch.inputs import clip_id
from video_cam.batch.jobs import DONE, SKIPPED, ClipRecord, Job, failed_record, finished_record
from video_cam.batch.run_config import RunConfig
from video_cam.batch.store import ClipBusy, Store, open_store
from video_cam.errors import ClipError, VideoCamError
from video_cam.explanation.damage import is_undamaged
from video_cam.pipeline import ClipExplainer, process_clip
from video_cam.utils.progress import Progress, silent
from video_cam.video.container import checked_path

_log = logging.getLogger(__name__)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class ClipRunner:
    """Runs the jobs of a run, one after another.

    Attributes:
        config: of the run, as the explainer's network can follow it.
        explainer: a network in this process, or actors that hold one each.
        store: where results are kept.
    """

    def __init__(self, config: RunConfig, explainer: ClipExplainer) -> None:
        self.config, self.explainer = config, explainer
        self.store: Store = open_store(config.output_dir)

    def run(self, job: Job, progress: Progress = silent, *, wait_seconds: float = 0) -> ClipRecord:
        """Run a job; an error becomes the record of a failed clip.

        Args:
            wait_seconds: how long to wait for another run that is processing the clip; negative
                for as long as it takes.

        Raises:
            ClipBusy: where another run is processing the clip all that time.
        """
        began = time.perf_counter()
        try:
            return self.run_or_raise(job, progress, wait_seconds=wait_seconds)
        except ClipBusy:
            raise
        except VideoCamError as error:
            _log.debug("%s", job.clip, exc_info=True)
            return failed_record(job, str(error), time.perf_counter() - began)
        except Exception as error:  # an unknown network or file may raise anything
            _log.info("%s", job.clip, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            return failed_record(job, reason, time.perf_counter() - began)

    def run_or_raise(
        self, job: Job, progress: Progress = silent, *, wait_seconds: float = 0
    ) -> ClipRecord:
        """Run a job, or find its results finished and still valid; every error is raised."""
        began = time.perf_counter()
        config = self.config
        self.store.check(job.name)
        with self.store.claim(job.name, wait_seconds), _disk_full_explained():
            checked_path(job.clip)
            explain = replace(config.explain, class_ids=job.class_ids or config.explain.class_ids)
            digest = fingerprint(job.clip, self.explainer.fingerprint_parts(explain), config.render)
            finished = None if config.overwrite else self._finished(job, digest)
            if finished is not None:
                return finished_record(job, finished, SKIPPED, time.perf_counter() - began)
            with self.store.writing(job.name) as folder:
                summary = process_clip(
                    job.clip,
                    folder,
                    self.explainer,
                    explain,
                    config.render,
                    config.limits,
                    progress,
                    {"fingerprint": digest, "clip_id": clip_id(job.clip)},
                )
            return finished_record(job, summary, DONE, time.perf_counter() - began)

    def _finished(self, job: Job, digest: str) -> dict[str, Any] | None:
        """The summary of finished results with this fingerprint.

        None where files are missing, or where the clip is damaged and ``--strict`` was given.
        """
        summary = self.store.summary(job.name)
        if summary is None or summary.get("fingerprint") != digest:
            return None
        if self.config.explain.strict and not is_undamaged(summary):
            return None  # to be refused now
        return summary if self.store.has_files(job.name, required_files(summary)) else None


@contextmanager
def _disk_full_explained() -> Iterator[None]:
    """Turn the error of a full disk, wherever it is raised, into a ClipError of one line."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise ClipError("the disk is full: free some space, then run again") from error
        raise
