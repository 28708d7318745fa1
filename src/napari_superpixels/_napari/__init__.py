"""The napari side: forms, workers, layers. The only place that imports Qt, magicgui or napari."""
