"""What a search for personal data and secrets finds: a kind and where it stands."""

from typing import NamedTuple

KINDS = ("EMAIL", "PHONE", "IP", "IBAN", "CARD", "SSN", "CREDENTIALS", "SECRET", "JWT", "PRIVATE_KEY", "AWS_KEY",
         "GITHUB_TOKEN", "SLACK_TOKEN", "API_KEY", "HUB_TOKEN", "NAME", "ADDRESS")
"""The kinds there are, the last two by option (privacy/names.py); a placeholder is `<KIND_number>`."""


class Finding(NamedTuple):
    """A stretch of a text that must not stay."""

    kind: str
    """One of KINDS."""
    start: int
    end: int
