"""One clip from its lock to its record; an error of one clip does not stop the others."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from video_cam.batch.claims import claimed
from video_cam.batch.fingerprint import fingerprint
from video_cam.batch.inputs import clip_id
from video_cam.batch.jobs import DONE, SKIPPED, ClipRecord, Job, failed_record, finished_record
from video_cam.batch.run_config import RunConfig
from video_cam.batch.store import ClipBusy, Store, open_store
from video_cam.config import ExplainConfig
from video_cam.errors import ClipError, VideoCamError
from video_cam.evaluation.clip_answer import clip_answer
from video_cam.explanation.damage import is_undamaged
from video_cam.explanation.explanation import Explanation
from video_cam.pipeline import ClipExplainer, process_clip
from video_cam.rendering.result_folder import EXPLANATION_FILE, SUMMARY_FILE
from video_cam.rendering.summary_file import sizes_of_files
from video_cam.utils.progress import Progress, silent
from video_cam.video.paths import checked_path

_log = logging.getLogger(__name__)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
Answer = TypeVar("Answer")


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

    def run(
        self,
        job: Job,
        progress: Progress = silent,
        *,
        wait_seconds: float = 0,
        digest: str | None = None,
    ) -> ClipRecord:
        """Run a job; an error becomes the record of a failed clip.

        Args:
            wait_seconds: how long to wait for another run that is processing the clip; negative
                for as long as it takes.
            digest: the job's fingerprint where it is known; None to find it.

        Raises:
            ClipBusy: where another run is processing the clip all that time.
        """
        run = partial(self.run_or_raise, job, progress, wait_seconds=wait_seconds, digest=digest)
        return or_failed(job, run)

    def run_or_raise(
        self,
        job: Job,
        progress: Progress = silent,
        *,
        wait_seconds: float = 0,
        digest: str | None = None,
    ) -> ClipRecord:
        """Run a job, or find its results finished and still valid; every error is raised."""
        began = time.perf_counter()
        config = self.config
        with claimed(self.store, job, wait_seconds) as job, _disk_full_explained():
            digest, record = self._begin(job, digest, began)
            if record is not None:
                return record
            explain = explain_config(config, job)
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
                    job.truth,
                )
            return self._record(job, summary, DONE, began)

    def begin(self, job: Job, *, wait_seconds: float) -> tuple[str, ClipRecord | None]:
        """What is done before the network is needed; every error is raised.

        Args:
            wait_seconds: as in ``run``.

        Returns:
            The job's fingerprint, and its record where its results are finished and still valid.
        """
        began = time.perf_counter()
        with claimed(self.store, job, wait_seconds) as job, _disk_full_explained():
            return self._begin(job, None, began)

    def _begin(self, job: Job, digest: str | None, began: float) -> tuple[str, ClipRecord | None]:
        self.store.check(job.name)
        checked_path(job.clip)
        if digest is None:
            parts = self.explainer.fingerprint_parts(explain_config(self.config, job))
            digest = fingerprint(job.clip, parts, self.config.render)
        finished = None if self.config.overwrite else self._finished(job, digest)
        if finished is None:
            return digest, None
        return digest, self._record(job, self._with_truth(job, finished), SKIPPED, began)

    def _record(self, job: Job, summary: dict[str, Any], status: str, began: float) -> ClipRecord:
        """The record of results in the store, while no other run can replace them."""
        sha256 = self.store.summary_sha256(job.name)
        return finished_record(job, summary, status, time.perf_counter() - began, sha256)

    def _with_truth(self, job: Job, summary: dict[str, Any]) -> dict[str, Any]:
        """The summary of finished results, compared with the truth where that is new to them."""
        before = summary.get("truth") or {}
        if job.truth is None or before.get("digest") == job.truth.digest():
            return summary
        with self.store.local_file(job.name, EXPLANATION_FILE) as path:
            answer = clip_answer(Explanation.load(path), job.truth)
        summary = {**summary, "truth": answer}
        self.store.replace_summary(job.name, summary)
        return summary

    def _finished(self, job: Job, digest: str) -> dict[str, Any] | None:
        """The summary of finished results with this fingerprint, all of whose files are there.

        Damaged results are mentioned in the log: they are computed again. None also where the clip
        is damaged and ``--strict`` was given.
        """
        summary = self.store.summary(job.name)
        shown = self.store.shown(job.name)
        if summary is None:
            if self.store.has_files(job.name, [SUMMARY_FILE]):
                _log.warning("%s: its %s is damaged; it is computed again", shown, SUMMARY_FILE)
            return None
        if summary.get("fingerprint") != digest:
            return None
        sizes = sizes_of_files(summary)
        if sizes is None or not self.store.has_contents(job.name, sizes):
            _log.warning("%s: files are missing or damaged; it is computed again", shown)
            return None
        if self.config.explain.strict and not is_undamaged(summary):
            return None  # to be refused now
        return summary


def explain_config(config: RunConfig, job: Job) -> ExplainConfig:
    """What of a job's clip is explained: the run's options, with the classes of the job."""
    return replace(config.explain, class_ids=job.class_ids or config.explain.class_ids)


def or_failed(job: Job, run: Callable[[], Answer]) -> Answer | ClipRecord:
    """What ``run`` returns; an error of it, except ClipBusy, as the record of a failed clip."""
    began = time.perf_counter()
    try:
        return run()
    except ClipBusy:
        raise
    except VideoCamError as error:
        _log.debug("%s", job.clip, exc_info=True)
        return failed_record(job, str(error), time.perf_counter() - began)
    except Exception as error:  # an unknown network or file may raise anything
        _log.info("%s", job.clip, exc_info=True)
        reason = f"{type(error).__name__}: {error}"
        return failed_record(job, reason, time.perf_counter() - began)


@contextmanager
def _disk_full_explained() -> Iterator[None]:
    """Turn the error of a full disk, wherever it is raised, into a ClipError of one line."""
    try:
        yield
    except (OSError, VideoCamError) as error:
        # The writer of videos says which file it was, and keeps what FFmpeg said as the cause.
        cause = error.__cause__ if isinstance(error, VideoCamError) else error
        if getattr(cause, "errno", None) in _DISK_FULL:
            raise ClipError("the disk is full: free some space, then run again") from error
        raise
