"""From an array of any kind to what is segmented: checked, cropped, scaled, reduced."""
