"""Speed and memory of maps and of whole commands, as ratios within one run.

Every module but ``ratios`` is a script: ``python -m benchmarks.speed.<name>``.
"""
