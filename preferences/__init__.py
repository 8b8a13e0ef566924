"""Preferences: votes, outcomes and orders into pairs, single labels and ranked lists."""
