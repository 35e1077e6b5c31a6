"""What maps and whole commands cost, as ratios within one run."""
