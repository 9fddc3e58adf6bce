"""Evaluation: the official PoseTrack protocol, OKS-AP, and the files they read."""
