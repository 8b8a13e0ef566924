"""How text is produced: engines, the client that asks them, the store that keeps every reply, sampling."""
