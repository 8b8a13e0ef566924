"""Pocket models: tiny chat models of our own whose answers can be checked, to run every stage for real on a laptop."""
