"""Uses redis-py as a program would, and prints what it gets. Usage: client.py HOST PORT"""

import threading

import redis

from printing import host, port, refused, show


def connection(r):
    show("ping", r.ping())
    show("echo", r.echo("héllo"))
    show("setname", r.client_setname("python"))
    show("getname", r.client_getname())
    show("clients", [c["name"] for c in r.client_list() if c["id"] == str(r.client_id())])
    show("kill", r.client_kill_filter(_type="normal", addr="1.2.3.4:5"))
    show("config", r.config_get("maxmemory*"))
    show("config set", r.config_set("maxmemory-policy", "allkeys-lru"))
    show("config", r.config_get("maxmemory-policy"))
    r.config_set("maxmemory-policy", "noeviction")
    info = r.info()
    names = ("redis_mode", "connected_clients", "used_memory", "total_commands_processed", "role", "uptime_in_seconds")
    show("info", [(name, type(info[name]).__name__) for name in names])
    show("info keyspace", r.info("keyspace"))
    show("command", r.command_count() > 100)
    show("keys of a command", r.command_getkeys("MSET", "a", "1", "b", "2"))
    show("time", [type(part).__name__ for part in r.time()])
    refused("unknown", r.execute_command, "NOSUCH", "a")


def strings(r):
    show("set", r.set("s", "value"))
    show("get", r.get("s"))
    show("set nx", r.set("s", "other", nx=True))
    show("set get", r.set("s", "new", get=True))
    show("getdel", r.getdel("s"))
    show("get none", r.get("s"))
    show("mset", r.mset({"a": 1, "b": b"\x00\r\n\xff", "c": 1.5}))
    show("mget", r.mget("a", "none", "c"))
    show("incr", (r.incr("a", 41), r.decr("a"), r.incrbyfloat("c", 0.1)))
    show("append", r.append("b", "tail"))
    show("ranges", (r.getrange("a", 0, 0), r.setrange("a", 4, "x"), r.strlen("a")))
    refused("incr of text", r.incr, "b")
    refused("wrong type", r.lpush, "a", 1)


def expiry(r):
    show("setex", r.set("e", 1, ex=100))
    show("ttl", 98 <= r.ttl("e") <= 100)
    show("expire", (r.expire("e", 1000), r.expire("e", 10, gt=True), r.pexpire("none", 1)))
    show("persist", (r.persist("e"), r.ttl("e"), r.ttl("none")))
    show("expireat", (r.expireat("e", 4102444800), r.expiretime("e")))
    show("gone", (r.pexpireat("e", 1), r.exists("e")))


def collections(r):
    show("hset", r.hset("h", mapping={"f": 1, "g": 2.5, "h": "x"}))
    show("hgetall", r.hgetall("h"))
    show("hash", (r.hget("h", "f"), r.hmget("h", "f", "none"), r.hincrby("h", "f", 2), r.hdel("h", "g", "none"), r.hexists("h", "g")))
    show("hscan", dict(r.hscan_iter("h", match="*")))
    show("push", (r.rpush("l", *range(10)), r.lpush("l", "first")))
    show("list", (r.lrange("l", 0, -1), r.lpos("l", "5"), r.lmove("l", "l2", "LEFT", "RIGHT"), r.lpop("l", 2), r.rpop("none")))
    show("list edited", (r.linsert("l", "before", "5", "x"), r.lset("l", 0, "y"), r.lrem("l", 0, "x"), r.ltrim("l", 0, 2), r.lrange("l", 0, -1)))
    show("sadd", r.sadd("t", *"abcabc"))
    show("set", (r.scard("t"), sorted(r.smembers("t")), r.smismember("t", ["a", "z"]), sorted(r.sdiff("t", "none")), r.sinterstore("t2", "t", "none")))
    show("spop", len(r.spop("t", 2)))
    show("sscan", len(list(r.sscan_iter("t"))))
    show("zadd", r.zadd("z", {"a": 1, "b": 2.5, "c": float("inf"), "d": -1e300}))
    show("zset", (r.zrange("z", 0, -1, withscores=True), r.zscore("z", "b"), r.zrank("z", "b"), r.zmscore("z", ["a", "none"])))
    show("zadd incr", (r.zadd("z", {"a": 2}, incr=True), r.zincrby("z", 0.1, "a"), r.zadd("z", {"a": 1}, gt=True, ch=True)))
    show("zrange by score", r.zrangebyscore("z", "(1", "+inf", withscores=True, start=0, num=2))
    show("zrange rev", r.zrange("z", "+inf", "-inf", byscore=True, desc=True, offset=1, num=2))
    show("zunion", r.zunion({"z": 2, "t": 1}, aggregate="MAX", withscores=True)[0])
    show("zpop", (r.zpopmin("z"), r.zpopmax("z", 2)))
    show("zscan", list(r.zscan_iter("z")))


def keys(r):
    for i in range(1000):
        r.set("scan:%d" % i, i)
    show("scan", len(set(r.scan_iter(match="scan:*", count=100))))
    show("scan of a type", sorted(r.scan_iter(_type="hash")))
    show("keys", sorted(r.keys("scan:99?")))
    show("types", [r.type(k) for k in ("a", "h", "l", "t", "none")])
    show("rename", (r.rename("a", "a2"), r.copy("a2", "a3"), r.renamenx("a2", "a3"), r.touch("a3", "none"), r.unlink("a3")))
    refused("rename none", r.rename, "none", "x")
    show("move", (r.move("a2", 1), r.exists("a2")))
    show("dbsize", r.dbsize())
    show("encoding", r.object("encoding", "h"))
    show("memory", (r.memory_usage("l") > r.memory_usage("h", samples=0) > 0, r.memory_usage("none")))


def pipelines(r):
    for transaction in True, False:
        with r.pipeline(transaction=transaction) as p:
            p.set("p", 1).incr("p").lpush("p", "x").get("p")
            show("pipeline", [type(v).__name__ + str(v) for v in p.execute(raise_on_error=False)])
            p.incr("p").hget("p", "f")
            refused("pipeline with an error", p.execute)
    with r.pipeline(transaction=False) as p:
        for i in range(10000):
            p.rpush("long", i)
        show("a long pipeline", p.execute()[-1])
    with r.pipeline() as p:
        p.execute_command("NOSUCH").get("p")
        refused("an unknown command in a transaction", p.execute)


def optimistic(r):
    r.set("counter", 0)

    # The first try meets somebody else's write between WATCH and EXEC.
    tries = []

    def step(p):
        n = int(p.get("counter"))
        if not tries:
            r.set("counter", 10)
        tries.append(n)
        p.multi()
        p.set("counter", n + 1)

    show("transaction", (r.transaction(step, "counter"), tries, r.get("counter")))

    def increment():
        for _ in range(25):
            with r.pipeline() as p:
                while True:
                    try:
                        p.watch("counter")
                        n = int(p.get("counter"))
                        p.multi()
                        p.set("counter", n + 1)
                        p.execute()
                        break
                    except redis.WatchError:
                        pass

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    show("increments of four threads", r.get("counter"))


def lock(r):
    """A lock without scripts: SET NX with an expiry, released under WATCH by who has it."""

    def release(token):
        with r.pipeline() as p:
            p.watch("lock")
            if p.get("lock") != token:
                return False
            p.multi()
            p.delete("lock")
            return p.execute()

    show("acquire", (r.set("lock", "mine", nx=True, px=60000), r.set("lock", "yours", nx=True, px=60000)))
    show("release", (release(b"yours"), release(b"mine"), r.exists("lock")))


def decoded():
    with redis.Redis(host, port, db=2, decode_responses=True, client_name="decoder", health_check_interval=1) as r:
        show("decoded", (r.set("k", "üñí"), r.get("k"), r.hset("h", "f", "v"), r.hgetall("h"), r.client_getname()))
        r.zadd("z", {"ä": 1.5})
        show("decoded zset", r.zrange("z", 0, -1, withscores=True))
        show("swapdb", (r.swapdb(2, 3), r.get("k")))
        show("flushdb", (r.flushdb(), r.dbsize()))
    refused("wrong database", redis.Redis(host, port, db=99).ping)
    refused("unneeded password", redis.Redis(host, port, password="x").ping)


with redis.Redis(host, port) as r:
    for part in connection, strings, expiry, collections, keys, pipelines, optimistic, lock:
        part(r)
    decoded()
    show("flushall", (r.flushall(), r.dbsize()))
