"""Listens to channels, keys and calls through redis-py as programs would, and prints what it hears.
Usage: channels.py HOST PORT"""

import asyncio
import queue
import threading

import redis
import redis.asyncio

from printing import blocked, host, port, refused, show, until


def heard(p, n, **options):
    """The next n messages."""
    messages = []
    while len(messages) < n:
        message = p.get_message(timeout=10, **options)
        if message is None:
            raise TimeoutError("after %r" % messages)
        messages.append(tuple(message.values()))
    return messages


def channels(r):
    with r.pubsub() as p:
        p.subscribe("news", "weather")
        show("subscribed", heard(p, 2))
        show("published", (r.publish("news", "one"), r.publish("weather", b"\x00\r\n\xff"), r.publish("nobody", "x")))
        show("heard", heard(p, 2))
        p.subscribe("news")
        show("subscribed again", heard(p, 1))
        p.psubscribe("n*", "[mn]ew?", "no\\*")
        show("patterns", heard(p, 3))
        show("published", (r.publish("news", "two"), r.publish("no*", "three")))
        show("heard by name and patterns", sorted(heard(p, 5)))
        show("channels", (sorted(r.pubsub_channels()), r.pubsub_channels("w*"), r.pubsub_numpat(), r.pubsub_numsub("news", "nobody")))
        p.ping()
        p.ping("are you there?")
        show("pongs", heard(p, 2))
        p.execute_command("GET", "k")
        refused("another command between messages", p.parse_response)
        p.unsubscribe("news", "never")
        show("unsubscribed", heard(p, 2))
        p.unsubscribe()
        p.punsubscribe()
        show("unsubscribed from all", [(m[0], m[3] >= 0) for m in heard(p, 4)])
        show("subscribed", p.subscribed)
        p.subscribe("later")
        show("subscribed later", heard(p, 1))
    show("nobody is left", (until(lambda: not r.pubsub_channels()), r.pubsub_numpat()))


def large(r):
    value = bytes(range(256)) * 4000
    with r.pubsub(ignore_subscribe_messages=True) as p:
        p.subscribe("large")
        p.get_message(timeout=10)
        show("large", (r.publish("large", value), heard(p, 1)[0][3] == value))
        with r.pipeline(transaction=False) as pipe:
            for i in range(3000):
                pipe.publish("large", i)
            show("published at once", set(pipe.execute()))
        show("in order", [int(m[3]) for m in heard(p, 3000)] == list(range(3000)))
        with r.pipeline() as pipe:
            pipe.publish("large", "within").set("k", 1).publish("large", "a transaction")
            show("transaction", pipe.execute())
        show("heard", heard(p, 2))


def handlers(r):
    """Handlers run in a thread of the client."""
    calls = queue.Queue()
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe(**{"jobs": lambda m: calls.put(("handler", m["data"]))})
    p.psubscribe(**{"job?": lambda m: calls.put(("pattern", m["channel"]))})
    thread = p.run_in_thread(sleep_time=0.01)
    until(lambda: r.pubsub_numpat() == 1)
    show("published", (r.publish("jobs", 1), r.publish("joby", 2)))
    show("handled", sorted(calls.get(timeout=10) for _ in range(3)))
    thread.stop()
    thread.join()
    show("gone", (until(lambda: r.pubsub_numpat() == 0), r.publish("jobs", 3)))

    with redis.Redis(host, port, decode_responses=True) as decoding, decoding.pubsub() as p:
        p.subscribe("ünï")
        heard(p, 1)
        r.publish("ünï", "cödé")
        show("decoded", heard(p, 1))


def killed(r):
    """A subscriber whose connection was cut subscribes again by itself."""
    # A server sees the end of a connection later than the client does.
    until(lambda: not r.client_list(_type="pubsub"))
    with redis.Redis(host, port, client_name="subscriber") as other, other.pubsub() as p:
        p.subscribe("news")
        p.psubscribe("n*")
        heard(p, 2)
        clients = [c for c in r.client_list(_type="pubsub") if c["name"] == "subscriber"]
        show("a subscriber", [(c["sub"], c["psub"], c["flags"], c["cmd"]) for c in clients])
        show("killed", r.client_kill_filter(_type="pubsub"))
        refused("cut off", p.get_message, timeout=10)
        show("subscribed again", sorted(heard(p, 2)))
        until(lambda: r.pubsub_numpat() == 1)
        show("published", r.publish("news", "again"))
        show("heard", heard(p, 2))


def shards(r):
    """redis-py has no shard channels yet; its connections do."""
    with r.pubsub() as p:
        p.execute_command("SSUBSCRIBE", "{a}1", "{a}2")
        show("ssubscribe", [p.parse_response() for _ in range(2)])
        show("spublish", (r.execute_command("SPUBLISH", "{a}1", "x"), r.publish("{a}1", "y")))
        show("smessage", p.parse_response())
        show("shard channels", (sorted(r.execute_command("PUBSUB SHARDCHANNELS")), r.execute_command("PUBSUB SHARDNUMSUB", "{a}1", "b")))
        p.execute_command("SUNSUBSCRIBE", "{a}1")
        show("sunsubscribe", p.parse_response())


def keys(r):
    """Keyspace notifications."""
    show("config", (r.config_set("notify-keyspace-events", "KEA"), r.config_get("notify-keyspace-events")))
    with r.pubsub(ignore_subscribe_messages=True) as p:
        p.psubscribe("__key*@*__:*")
        p.get_message(timeout=10)

        def events(name, n, *calls):
            for call, *args in calls:
                call(*args)
            show(name, [(m[2], m[3]) for m in heard(p, n)])

        events("strings", 8, (r.set, "s", 1), (r.incr, "s"), (r.append, "s", "x"), (r.delete, "s", "none"))
        events("expiry", 6, (r.setex, "e", 100, 1), (r.persist, "e"))
        r.set("soon", 1)
        heard(p, 2)
        r.pexpire("soon", 1)
        until(lambda: not r.exists("soon"))
        events("expired", 4)
        events("collections", 12, (r.rpush, "l", 1, 2), (r.lpop, "l", 2), (r.sadd, "t", 1), (r.srem, "t", 1), )
        events("hash", 6, (r.hset, "h", "f", 1), (r.hdel, "h", "f"))
        events("sorted set", 6, (r.zadd, "z", {"a": 1}), (r.zrem, "z", "a"))
        events("stream", 8, (r.xadd, "x", {"f": 1}), (r.xgroup_create, "x", "g"), (r.xtrim, "x", 0, False), (r.delete, "x"))
        r.set("from", 1)
        heard(p, 2)
        events("rename", 4, (r.rename, "from", "to"))
        events("copy", 2, (r.copy, "to", "copy"))
        events("move", 4, (r.move, "copy", 1))
        with r.pipeline() as pipe:
            pipe.set("a", 1).lpush("b", 1).delete("a")
            events("transaction", 6, (pipe.execute,))
        with redis.Redis(host, port, db=3) as third:
            events("another database", 2, (third.set, "k", 1))
        r.config_set("notify-keyspace-events", "Elg")
        r.set("silent", 1)
        events("some of them", 2, (r.rpush, "silent list", 1), (r.delete, "silent"))
    r.config_set("notify-keyspace-events", "")
    refused("a flag that is none", r.config_set, "notify-keyspace-events", "!")


def caching(r):
    """Client-side caching of the second protocol version: another connection hears what is no longer valid."""
    with redis.Redis(host, port, single_connection_client=True) as reader, r.pubsub(ignore_subscribe_messages=True) as p:
        p.execute_command("CLIENT", "ID")
        ears = p.parse_response()
        p.subscribe("__redis__:invalidate")
        p.get_message(timeout=10)

        show("redirect before", (reader.client_getredir(), reader.client_trackinginfo()))
        show("tracking on", reader.client_tracking_on(clientid=ears))
        show("redirect", (reader.client_getredir() == ears, reader.client_trackinginfo()[:2]))
        r.mset({"a": 1, "b": 2, "c": 3})
        show("read", (reader.get("a"), reader.mget("b", "none")))
        r.set("a", 2)
        r.set("c", 2)
        r.set("a", 3)
        r.set("none", 1)
        show("invalid", heard(p, 2))
        reader.get("a")
        reader.set("a", 4)
        show("its own write", heard(p, 1))
        reader.get("a")
        r.pexpire("a", 1)
        show("expires", heard(p, 1))
        r.flushdb()
        show("flushed", heard(p, 1))
        show("off", (reader.client_tracking_off(), reader.client_getredir()))

        show("noloop", reader.client_tracking_on(clientid=ears, noloop=True))
        reader.mget("a", "b", "the last")
        reader.set("a", 1)
        r.set("b", 1)
        r.set("the last", 1)
        messages = heard(p, 1)
        while messages[-1][3] != [b"the last"]:
            messages += heard(p, 1)
        show("only of others", messages)
        reader.client_tracking_off()

        show("bcast", reader.client_tracking_on(clientid=ears, bcast=True, prefix=["user:", "item:"]))
        with r.pipeline() as pipe:
            pipe.set("user:1", 1).set("other", 1).set("item:1", 1).execute()
        show("by prefix", sorted(heard(p, 2)))
        refused("prefixes overlap", reader.client_tracking_on, clientid=ears, bcast=True, prefix=["use"])
        reader.client_tracking_off()

        show("optin", reader.client_tracking_on(clientid=ears, optin=True))
        reader.get("a")
        show("caching", reader.execute_command("CLIENT CACHING", "YES"))
        reader.get("b")
        r.set("a", 2)
        r.set("b", 2)
        show("only what was asked for", heard(p, 1))
        refused("optin and out", reader.client_tracking_on, optin=True, optout=True)
        reader.client_tracking_off()
        refused("caching without tracking", reader.execute_command, "CLIENT CACHING", "YES")
        refused("redirected to nobody", reader.client_tracking_on, clientid=1 << 40)


def monitor(r):
    r.client_setname("talker")
    with r.monitor() as m:
        r.set("k", 'a "quoted"\\ \r\n\x00ü')
        r.execute_command("gEt", "k")
        with redis.Redis(host, port, db=4) as fourth:
            fourth.hset("h", "f", 1.5)
        with r.pipeline() as pipe:
            pipe.incr("n").incr("n").execute()
        refused("an error", r.execute_command, "HGET", "h")
        r.ping()
        show("monitored", [(c["db"], c["client_type"], c["command"]) for c in (m.next_command() for _ in range(9))])


async def concurrently():
    r = redis.asyncio.Redis(host=host, port=port)
    async with r.pubsub() as p:
        await p.subscribe("async")
        await p.psubscribe("as*")
        got = []

        async def listen():
            async for message in p.listen():
                got.append(tuple(message.values()))
                if message["data"] == b"last":
                    return

        listening = asyncio.ensure_future(listen())
        while not await r.pubsub_numpat():
            await asyncio.sleep(0.001)
        show("published", await asyncio.gather(*(r.publish("async", "same") for _ in range(20))))
        await r.publish("assure", "last")
        await asyncio.wait_for(listening, 10)
        show("heard", got)
    taker = asyncio.ensure_future(r.blpop(["queue"], timeout=10))
    reader = asyncio.ensure_future(r.xread({"stream": "$"}, block=10000))
    while (await r.info("clients"))["blocked_clients"] < 2:
        await asyncio.sleep(0.001)
    await r.xadd("stream", {"f": 1}, id="1-1")
    await r.rpush("queue", "job")
    show("woken", await asyncio.gather(taker, reader))
    await r.close()


def hand_over(r):
    """Blocked clients get what comes in the order in which they came."""
    got = queue.Queue()

    def take(name):
        with redis.Redis(host, port, client_name=name) as own:
            got.put((name, own.blpop(["first", "second"], timeout=60)))

    threads = []
    for name in "one", "two", "three":
        threads.append(threading.Thread(target=take, args=(name,)))
        threads[-1].start()
        until(lambda: blocked(r) == len(threads))
    order = []
    for i, key in enumerate(("second", "first", "second")):
        r.rpush(key, i)
        order.append(got.get(timeout=10))
    for thread in threads:
        thread.join()
    show("handed over", order)


with redis.Redis(host, port) as r:
    for part in channels, large, handlers, killed, shards, keys, caching, monitor, hand_over:
        part(r)
    asyncio.run(concurrently())
    show("flushall", (r.flushall(), r.dbsize()))
