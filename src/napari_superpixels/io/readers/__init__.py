"""One module a kind of file; `images.open_image` is the door to them."""
