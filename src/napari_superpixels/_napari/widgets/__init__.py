"""Small parts that both docks share."""
