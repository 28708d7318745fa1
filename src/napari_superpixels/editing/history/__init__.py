"""The log of edits: fingerprints, changed pixels as text, replay."""
