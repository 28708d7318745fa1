"""What the tools do to a label map: each action builds an edit with an inverse."""
