"""Where preference comes from: juries of models or people (and, later, tests and chat logs)."""
