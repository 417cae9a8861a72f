"""Looking back: which commits, what changed, and how it is written for people and programs."""
