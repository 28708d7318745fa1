"""Controls of the segmentation dock: image, axes, channels, region, parameters, device."""
