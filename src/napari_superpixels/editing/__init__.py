"""Corrections of a label map: small values with an inverse. NumPy, no torch, no Qt."""
