"""``gateway channel new TYPE``: a new channel folder with its tests, whole but for its fixtures."""
