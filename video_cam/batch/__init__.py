"""Many clips: one model for all of them, a list of what was done, and nothing lost on a bad day.

jobs.py       a clip, its folder, its classes; the row that says what became of it
runner.py     one clip from its lock to its row
store.py      where results lie: a folder with locks, or an address of a bucket
results.py    results.jsonl
worker.py     the runner in a process of its own, which may hang or die
local.py      clips one after another, by one worker
ray_engine.py clips on the actors of a Ray cluster
spread.py     the windows of one long clip on several actors
"""
