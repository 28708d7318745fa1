"""From Python: one image, a series of frames, and what a run returns."""
