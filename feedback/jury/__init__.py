"""Juries: models rate or compare answers, every vote is kept raw, and votes are aggregated into rankings."""
