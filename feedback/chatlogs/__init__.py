"""Preference mined from chat logs: readers of the logs people have, events, and what each event licenses."""
