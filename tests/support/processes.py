"""Small processes that tests start and kill."""

from __future__ import annotations

import multiprocessing

# A small process that forks: to copy this one, with PyTorch, takes longer than the tests.
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.batch.test_store", "tests.batch.test_claims"])
