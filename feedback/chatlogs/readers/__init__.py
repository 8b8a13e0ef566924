"""One file a log format: from a record of the log to conversations. Which one fits is seen from the content."""
