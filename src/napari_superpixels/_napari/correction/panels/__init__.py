"""Panels of the correction dock."""
