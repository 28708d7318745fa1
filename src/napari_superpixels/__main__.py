"""``python -m napari_superpixels``: the command, where its script is not on the path."""

import sys

from napari_superpixels.cli.main import main

sys.exit(main())
