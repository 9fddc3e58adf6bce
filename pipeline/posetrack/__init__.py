"""PoseTrack on disk: its annotation files, the index made of them, the checks and the splits."""
