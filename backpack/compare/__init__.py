"""One trace under several configurations, side by side, with bounds to hold them against."""
