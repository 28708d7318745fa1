"""The correction dock: tools that edit any Labels layer through napari's own history."""
