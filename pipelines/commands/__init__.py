"""What the commands of `winnow` do; pipelines/cli.py only declares their arguments."""
