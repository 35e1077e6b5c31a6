"""The command line: arguments to a RunConfig, messages and an exit status. No tensors.

May import every other package.
"""
