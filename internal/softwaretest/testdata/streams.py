"""Uses streams through redis-py as programs would, and prints what it gets. Usage: streams.py HOST PORT"""

import re
import threading

import redis

from printing import blocked, host, port, refused, show, until


def timeless(value):
    """Leaves out what depends on when it was asked, and what only versions from 7.2 on tell."""
    if isinstance(value, dict):
        clock = "idle", "inactive", "time_since_delivered", "seen-time", "active-time", b"seen-time", b"active-time"
        return {k: timeless(v) for k, v in value.items() if k not in clock}
    if isinstance(value, (list, tuple)):
        return [timeless(v) for v in value]
    return value


def grow(ids):
    ids = [tuple(map(int, id.split(b"-"))) for id in ids]
    return all(a < b for a, b in zip(ids, ids[1:]))


def entries(r):
    show("xadd", [r.xadd("s", {"n": i, "text": "v" * i}, id="%d-%d" % (i // 2 + 1, i % 2)) for i in range(6)])
    show("an id of its own", re.fullmatch(rb"\d{13}-\d+", r.xadd("auto", {"f": b"\x00\xff"})) is not None)
    show("ids grow", grow([r.xadd("auto", {"f": i}) for i in range(50)]))
    show("xadd to none", r.xadd("none", {"f": 1}, nomkstream=True))
    refused("an id too small", r.xadd, "s", {"f": 1}, id="3-1")
    refused("id zero", r.xadd, "s", {"f": 1}, id="0-0")
    refused("no id", r.xadd, "s", {"f": 1}, id="x")
    show("xadd part of an id", r.xadd("s", {"f": 1}, id="3-*"))
    show("xlen", (r.xlen("s"), r.xlen("none"), r.type("s")))
    show("xrange", r.xrange("s"))
    show("xrange of a part", r.xrange("s", min="(1-0", max="2", count=2))
    show("xrevrange", r.xrevrange("s", max="+", min="2-1", count=2))
    show("xdel", (r.xdel("s", "1-0", "9-9"), r.xrange("s", count=1)))
    show("xtrim", (r.xtrim("s", maxlen=3, approximate=False), r.xtrim("s", minid="3-0", approximate=False), r.xlen("s")))
    for i in range(500):
        r.xadd("capped", {"i": i}, id="%d" % (i + 1), maxlen=200)
    show("capped roughly", r.xlen("capped"))
    show("capped exactly", (r.xadd("capped", {"i": "last"}, id="1000", maxlen=10, approximate=False), r.xlen("capped")))
    show("trimmed a little", (r.xtrim("capped", minid="1000", limit=1), r.xlen("capped")))
    refused("wrong type", r.xadd, "text", {"f": 1})
    show("copied", (r.copy("s", "s2"), r.xrange("s2") == r.xrange("s")))
    show("encoding", r.object("encoding", "s"))


def reading(r):
    r.xadd("a", {"f": 1}, id="1-1")
    r.xadd("b", {"f": 2}, id="2-1")
    show("xread", r.xread({"a": "0", "b": "0", "none": "0"}))
    show("xread on", r.xread({"a": "1-1", "b": "2-0"}, count=1))
    show("nothing new", r.xread({"a": "$"}, block=1))
    refused("xread of a wrong type", r.xread, {"text": "0"})
    with r.pipeline() as p:
        p.xread({"a": "$"}, block=0).xadd("a", {"f": 3}, id="1-2").xread({"a": "1-1"}, block=0)
        show("in a transaction nothing blocks", p.execute())

    got = []
    with redis.Redis(host, port, client_name="reader") as other:
        waiting = threading.Thread(target=lambda: got.append(other.xread({"a": "$", "b": "$"}, block=60000)))
        waiting.start()
        until(lambda: blocked(r) == 1)
        r.xadd("none of it", {"f": 1})
        with r.pipeline() as p:
            p.xadd("b", {"f": 4}, id="2-2").xadd("b", {"f": 5}, id="2-3").execute()
        waiting.join()
        show("xread was woken", got.pop())

        waiting = threading.Thread(target=lambda: got.append(other.xread({"a": "$"}, block=0)))
        waiting.start()
        until(lambda: blocked(r) == 1)
        reader = [c["id"] for c in r.client_list() if c["name"] == "reader" and "b" in c["flags"]]
        show("client unblock", r.client_unblock(int(reader[0])))
        waiting.join()
        show("xread was unblocked", got.pop())
        until(lambda: blocked(r) == 0)

        def interrupted():
            refused("xread was interrupted", other.xread, {"a": "$"}, block=0)

        waiting = threading.Thread(target=interrupted)
        waiting.start()
        until(lambda: blocked(r) == 1)
        r.client_unblock(int(reader[0]), error=True)
        waiting.join()


def groups(r):
    refused("a group of none", r.xgroup_create, "g", "workers")
    show("xgroup create", r.xgroup_create("g", "workers", id="0", mkstream=True))
    refused("a group twice", r.xgroup_create, "g", "workers")
    show("createconsumer", (r.xgroup_createconsumer("g", "workers", "ann"), r.xgroup_createconsumer("g", "workers", "ann")))
    for i in range(1, 8):
        r.xadd("g", {"job": i}, id="%d-0" % i)
    show("ann reads", r.xreadgroup("workers", "ann", {"g": ">"}, count=3))
    show("bob reads", r.xreadgroup("workers", "bob", {"g": ">"}, count=2))
    show("carl acknowledges at once", r.xreadgroup("workers", "carl", {"g": ">"}, count=1, noack=True))
    show("ann's own", r.xreadgroup("workers", "ann", {"g": "0"}, count=2))
    show("carl's own", r.xreadgroup("workers", "carl", {"g": "0"}))
    show("xack", (r.xack("g", "workers", "1-0", "1-0", "99-0"), r.xack("g", "none", "2-0")))
    refused("no such group", r.xreadgroup, "none", "ann", {"g": ">"})
    refused("no such key", r.xreadgroup, "workers", "ann", {"none": ">"})
    refused("a dollar in a group", r.xreadgroup, "workers", "ann", {"g": "$"})
    refused("a group of a wrong type", r.xgroup_create, "text", "workers")

    show("xpending", r.xpending("g", "workers"))
    show("xpending of none", (r.xgroup_create("g", "idle", id="$"), r.xpending("g", "idle")))
    show("xpending range", timeless(r.xpending_range("g", "workers", "-", "+", 10)))
    show("xpending of bob", timeless(r.xpending_range("g", "workers", "(4-0", "+", 10, consumername="bob")))
    show("xpending of the idle", r.xpending_range("g", "workers", "-", "+", 10, idle=3600000))
    refused("xpending of no group", r.xpending, "g", "none")

    show("xclaim", r.xclaim("g", "workers", "dora", 0, ["2-0", "7-0"], retrycount=7))
    show("xclaim of the idle", r.xclaim("g", "workers", "dora", 3600000, ["3-0"]))
    show("xclaim by force", r.xclaim("g", "workers", "dora", 0, ["1-0"], force=True, justid=True, idle=7200000))
    r.xdel("g", "5-0")
    show("xautoclaim", r.xautoclaim("g", "workers", "emil", 0, count=3))
    show("xautoclaim of ids", r.xautoclaim("g", "workers", "emil", 0, count=1, justid=True))
    show("xautoclaim of the rest", r.xautoclaim("g", "workers", "emil", 0, start_id="4-0"))
    show("xautoclaim of the idle", r.xautoclaim("g", "workers", "ann", 3600000))
    show("deliveries", timeless(r.xpending_range("g", "workers", "-", "+", 10)))

    show("xinfo stream", timeless(r.xinfo_stream("g")))
    show("xinfo groups", timeless(r.xinfo_groups("g")))
    show("xinfo consumers", timeless(r.xinfo_consumers("g", "workers")))
    show("xinfo consumers' clocks", [type(c["idle"]).__name__ for c in r.xinfo_consumers("g", "workers")])
    full = r.xinfo_stream("g", full=True)
    show("xinfo stream full", [(k, v) for k, v in sorted(full.items()) if k != "groups"])
    for group in full["groups"]:
        pending = [(id, name, count) for id, name, _, count in group.pop("pending")]
        consumers = [(c[c.index(b"name") + 1], c[c.index(b"pel-count") + 1], len(c[c.index(b"pending") + 1])) for c in group.pop("consumers")]
        show("xinfo stream full, a group", (sorted(group.items()), pending, consumers))
    refused("xinfo of none", r.xinfo_stream, "none")
    refused("xinfo of no group", r.xinfo_consumers, "g", "none")

    show("setid", (r.xgroup_setid("g", "workers", "6-0", entries_read=6), timeless(r.xinfo_groups("g"))))
    show("delconsumer", (r.xgroup_delconsumer("g", "workers", "emil"), r.xgroup_delconsumer("g", "workers", "emil")))
    show("destroy", (r.xgroup_destroy("g", "workers"), r.xgroup_destroy("g", "workers")))


def waiting(r):
    """A consumer blocks, and gets what is added; one that asks for its own past never blocks."""
    r.xgroup_create("w", "workers", mkstream=True)
    show("its own past", r.xreadgroup("workers", "ann", {"w": "0"}, block=0))
    show("in vain", r.xreadgroup("workers", "ann", {"w": ">"}, block=1))
    got = []
    with redis.Redis(host, port, client_name="consumer") as other:
        for i in range(3):
            one = threading.Thread(target=lambda: got.append(other.xreadgroup("workers", "ann", {"w": ">", "w2": ">"}, block=60000)))
            r.xgroup_create("w2", "workers", mkstream=True) if i == 0 else None
            one.start()
            until(lambda: blocked(r) == 1)
            r.xadd("w2" if i == 1 else "w", {"i": i}, id="%d-1" % (i + 1))
            one.join()
            show("xreadgroup was woken", got.pop())
    show("pending", (r.xpending("w", "workers")["pending"], r.xpending("w2", "workers")["pending"]))


def work(r):
    """Four workers share a queue. One of them dies, and another takes over what it left."""
    jobs = 400
    r.xgroup_create("jobs", "g", id="0", mkstream=True)
    done, lock = [], threading.Lock()

    def worker(name):
        with redis.Redis(host, port, client_name=name) as own:
            while True:
                batch = own.xreadgroup("g", name, {"jobs": ">"}, count=7, block=60000)
                for _, messages in batch:
                    for id, fields in messages:
                        if b"end" in fields:
                            own.xack("jobs", "g", id)
                            own.xadd("jobs", {"end": 1})
                            return
                        if name == "dead":
                            return
                        own.xack("jobs", "g", id)
                        with lock:
                            done.append(int(fields[b"n"]))

    threads = [threading.Thread(target=worker, args=(name,)) for name in ("one", "two", "three", "dead")]
    for i in range(10):
        r.xadd("jobs", {"n": i})
    threads[-1].start()
    threads[-1].join()
    left = r.xpending("jobs", "g")["pending"]
    for thread in threads[:-1]:
        thread.start()
    for i in range(10, jobs):
        r.xadd("jobs", {"n": i})
    until(lambda: len(done) == jobs - left)
    start = "0-0"
    while True:
        start, taken, _ = r.execute_command("XAUTOCLAIM", "jobs", "g", "one", 0, start, "COUNT", 2, parse_justid=False)
        for id, fields in taken:
            done.append(int(fields[b"n"]))
            r.xack("jobs", "g", id)
        if start == b"0-0":
            break
    r.xadd("jobs", {"end": 1})
    for thread in threads[:-1]:
        thread.join()
    show("jobs done", (left, sorted(done) == list(range(jobs)), r.xpending("jobs", "g")["pending"], r.xlen("jobs")))


with redis.Redis(host, port) as r:
    r.set("text", "a")
    for part in entries, reading, groups, waiting, work:
        part(r)
    show("flushall", (r.flushall(), r.dbsize()))
