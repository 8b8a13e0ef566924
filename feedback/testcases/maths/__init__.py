"""Maths answers: found in texts, compared as equal, different or unknown, and counted as votes."""
