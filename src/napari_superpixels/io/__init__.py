"""Files: images, labels, where they lie, and one writer a format."""
