"""Poses in videos that nobody annotated."""
