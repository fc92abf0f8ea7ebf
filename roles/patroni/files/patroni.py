#!/usr/bin/python3
"""Starts Patroni, and lets a leader that gives up be looked at ten times a second.

The lease is free when PostgreSQL has written its last checkpoint. Patroni 4 looks for that once a second, which is most
of the time in which nobody can write during a switchover; there is no setting for it.
"""

import sys

import patroni.postgresql
from patroni.__main__ import main

patroni.postgresql.STOP_POLLING_INTERVAL = 0.1

if __name__ == "__main__":  # helpers of multiprocessing load this file as well
    sys.exit(main())
