"""The method itself: arrays and tensors in, Steps and labels out. No Qt, no napari, no files."""
