"""Clips of shards to look at: pictures, a video and a page."""
