"""A clip is claimed together with the folder for its results, so that runs never overwrite clips.

Folders are planned before a run begins. Until a clip is claimed, another run may have written
another clip's results to the planned folder, or this clip's results to another one.

A claim is held by the process that writes, so it lasts as long as that can write. Where several
processes of one run work on a clip in turn, the run reserves it for all of that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from video_cam.batch.inputs import clip_id, long_name, plain_name
from video_cam.batch.jobs import Job
from video_cam.batch.store import Store
from video_cam.errors import ClipError


@contextmanager
def reserved(store: Store, job: Job, wait_seconds: float) -> Iterator[Job]:
    """A context in which no other run begins this clip, whichever process works on it.

    Args:
        wait_seconds: how long to wait for another run; negative for as long as it takes.

    Returns:
        The job, for processes of this run.

    Raises:
        ClipBusy: where another run, or another part of this one, has reserved the clip all that
            time.
    """
    with store.reserve(long_name(job.clip), wait_seconds):
        yield replace(job, is_reserved=True)


@contextmanager
def claimed(store: Store, job: Job, wait_seconds: float) -> Iterator[Job]:
    """A context in which no other run processes this clip or writes to its folder.

    Args:
        wait_seconds: how long to wait for another run, for the clip, where it is not reserved, and
            for its folders each; negative for as long as it takes.

    Returns:
        The job with the folder's name: the one that has the clip's results already, else the
        planned one, else, where another clip's results are there, the clip's own long name.

    Raises:
        ClipBusy: where another run holds the clip or its folder all that time.
        ClipError: where another clip's results are in all of these folders.
    """
    own_id, own_name = clip_id(job.clip), long_name(job.clip)
    if not job.is_reserved:
        with reserved(store, job, wait_seconds) as job, claimed(store, job, wait_seconds) as job:
            yield job
        return
    # Every run claims a clip's long name first, whichever folder it takes: two runs that planned
    # different folders for one clip exclude each other, and no runs wait for each other.
    with store.claim(own_name, wait_seconds):
        shared = job.name if job.name != own_name else plain_name(job.clip)
        if job.name == shared or store.owner(shared) == own_id:
            with store.claim(shared, wait_seconds):
                owner = store.owner(shared)
                is_free = owner is None and store.owner(own_name) != own_id
                if owner == own_id or (is_free and job.name == shared):
                    yield replace(job, name=shared)
                    return
        if store.owner(own_name) not in (None, own_id):
            raise ClipError(
                f"another clip's results are in {store.shown(own_name)!r}: choose another "
                "--output-dir"
            )
        yield replace(job, name=own_name)
