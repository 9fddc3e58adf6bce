"""The PoseTrack-shaped dataset that this project draws itself: articulated people with exact keypoints."""
