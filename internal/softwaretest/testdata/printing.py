"""What the programs beside this one print with, and where they connect to: HOST PORT on the command line."""

import sys
import time

import redis

host, port = sys.argv[1], int(sys.argv[2])


def show(name, value):
    if isinstance(value, set):
        value = sorted(value)
    if isinstance(value, dict):
        value = sorted(value.items())
    print(name, repr(value))


def refused(name, call, *args, **kwargs):
    try:
        show(name, call(*args, **kwargs))
    except redis.RedisError as e:
        print(name, type(e).__name__, e)


def until(condition):
    """Waits for what another connection brings about."""
    for _ in range(10000):
        if condition():
            return
        time.sleep(0.001)
    raise TimeoutError(condition)


def blocked(r):
    """The number of connections that wait inside of a command, on the server that has the keys."""
    return r.info("clients")["blocked_clients"]
