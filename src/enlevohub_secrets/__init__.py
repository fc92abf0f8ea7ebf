"""The secrets of an environment: made once, kept for ever, never shown."""
