"""The command ``napari-superpixels``."""
