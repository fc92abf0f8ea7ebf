"""The one exception a person sees."""


class SecretsError(Exception):
    """Something the person at the keyboard can act on; the message never holds a secret value."""
