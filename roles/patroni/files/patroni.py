#!/usr/bin/python3
"""Starts Patroni with short pauses while a leader gives up its lease, which no setting of Patroni 4 can shorten.

Nobody can write then. Patroni looks once a second whether PostgreSQL has written its last checkpoint, and waits another
second before it asks the standbys whether they have it; one that has not is asked again when PostgreSQL has ended.
"""

import sys
import time
from importlib import import_module

PAUSE_SECONDS = 0.15


class Clock:
    """The module ``time`` for `patroni.ha`, whose pauses of one second give standbys time before they are looked at."""

    def __getattr__(self, name):
        """Return what the module has."""
        return getattr(time, name)

    @staticmethod
    def sleep(seconds):
        """Pause, shortly where it is a second."""
        time.sleep(PAUSE_SECONDS if seconds == 1 else seconds)


def shorten():
    """Make the pauses short. A Patroni that cannot be changed in this way starts as it is."""
    try:
        # In this order: the first of them imports the second, not the other way round.
        postgresql, ha = import_module("patroni.postgresql"), import_module("patroni.ha")
        postgresql.STOP_POLLING_INTERVAL = PAUSE_SECONDS
        ha.time = Clock()
    except Exception as error:
        print(f"the pauses of Patroni stay long: {error!r}", file=sys.stderr)


if __name__ == "__main__":  # helpers of multiprocessing load this file as well
    shorten()
    sys.exit(import_module("patroni.__main__").main())
