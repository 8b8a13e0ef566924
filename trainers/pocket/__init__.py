"""Trains and measures the pocket models, from nothing, on one processor core, in an environment with torch."""
