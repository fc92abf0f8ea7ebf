"""The one exception a person sees."""


class LabError(Exception):
    """Something the person at the keyboard can act on; the message says what, where and what to do."""
