"""Sends long pipelines, all of which redis-py writes before it reads the first reply."""

import sys

import redis

r = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]))
value = b"v" * 1000
r.set("k", value)
p = r.pipeline(transaction=False)
for i in range(100_000):
    p.get("k")
print("read:", sum(got == value for got in p.execute()))
p = r.pipeline(transaction=False)
for i in range(300_000):
    p.set("k%d" % (i % 1000), value[:100])
print("written:", sum(p.execute()))
