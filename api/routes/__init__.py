"""The JSON routes, one file a noun; ``app`` includes each."""
