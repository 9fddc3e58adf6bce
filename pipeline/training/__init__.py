"""Training: one plain-torch loop, and the Ray Train launch around it."""
