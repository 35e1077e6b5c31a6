"""Networks of well-known repositories: each goes through the tool as a user would bring it.

The command is ``python -m benchmarks.networks``. It needs the repositories' checkouts, which are
not part of this project; weights are random.
"""
