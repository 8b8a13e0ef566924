"""Filters: what is kept, and for every row that is not, the rule and what it saw."""
