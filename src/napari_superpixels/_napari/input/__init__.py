"""What exactly is segmented: choices resolved against layers, without Qt."""
