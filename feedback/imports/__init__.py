"""Preference that exists already: votes, scores and chosen/rejected sets, taken in with no model call."""
