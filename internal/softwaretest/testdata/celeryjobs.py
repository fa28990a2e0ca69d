"""Has workers of Celery run tasks, and prints what becomes of them. Usage: celeryjobs.py HOST PORT; with a name, it is a
worker."""

import os
import signal
import subprocess
import sys
import time

import redis
from celery import Celery, chain, chord, group

from printing import host, port, show, until

url = "redis://%s:%d/1" % (host, port)
r = redis.Redis(host, port, db=1)
app = Celery("celeryjobs", broker=url, backend=url)
app.conf.update(result_expires=600, task_acks_late=True, task_reject_on_worker_lost=True)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="fail")
def fail():
    raise ValueError("on purpose")


@app.task(name="third", bind=True)
def third(self):
    """Succeeds when it is run for the third time."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return "at last"


@app.task(name="steps", bind=True)
def steps(self):
    self.update_state(state="HALFWAY", meta={"done": 1})
    until(lambda: r.lpop("continue"))
    return "all"


@app.task(name="hang")
def hang():
    """Tells that it runs, and does not end. A worker that is given it again, since it was not acknowledged, could not end either."""
    if r.incr("hangs") > 1:
        return
    r.rpush("hanging", os.getpid())
    while True:
        time.sleep(1)


@app.task(name="survive")
def survive():
    """Ends its process the first time."""
    if r.incr("lives") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "again"


def result(task):
    return task.get(timeout=20)


def refusal(task):
    try:
        return result(task)
    except Exception as e:
        return type(e).__name__, str(e), task.state


def worker(name):
    return subprocess.Popen(
        [sys.executable, __file__, host, str(port), name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def work(name):
    app.worker_main(["worker", "--concurrency=2", "--without-mingle", "--without-gossip", "--hostname=%s@here" % name, "--loglevel=CRITICAL"])


def together():
    show("many", [result(task) for task in [add.delay(i, i) for i in range(50)]])
    show("group", result(group(add.s(i, 1) for i in range(20))()))
    show("chord", result(chord([add.s(i, i) for i in range(20)])(total.s())))
    show("chain", result(chain(add.s(1, 1), add.s(2), add.s(3))()))
    show("chord of chains", result(chord([chain(add.s(i, 1), add.s(1)) for i in range(5)])(total.s())))
    show("failed in a chord", refusal(chord([add.s(1, 1), fail.s()])(total.s()))[0])


def alone():
    show("failed", refusal(fail.delay()))
    show("retried", result(third.delay()))
    show("later", result(add.apply_async((2, 3), countdown=0.5)))
    show("too late", refusal(add.apply_async((2, 3), countdown=0.5, expires=0.1))[0])
    show("priorities", [result(add.apply_async((i, i), priority=i)) for i in (0, 3, 6, 9)])
    show("survived", (result(survive.delay()), r.get("lives")))
    task = steps.delay()
    until(lambda: task.state == "HALFWAY")
    show("halfway", task.info)
    r.rpush("continue", 1)
    show("done", (result(task), task.state))
    show("expiry", 0 < r.ttl("celery-task-meta-" + task.id) <= 600)
    task.forget()
    show("forgotten", r.exists("celery-task-meta-" + task.id))


def control():
    """Talks to the worker over pub/sub."""
    show("ping", app.control.inspect(["first@here"], limit=1).ping())
    task = hang.delay()
    until(lambda: r.lpop("hanging"))
    task.revoke(terminate=True)
    show("revoked", refusal(task)[0])


def kill(process):
    """Kills a worker, which leaves tasks in the queue, and starts another."""
    process.terminate()
    show("ended", process.wait())
    tasks = [add.delay(i, 0) for i in range(10)]
    show("queued", r.llen("celery"))
    process = worker("second")
    show("after another", [result(task) for task in tasks])
    for _ in range(3):
        add.apply_async((1, 1), queue="nobody's")
    with app.connection_for_write() as connection:
        show("purged", connection.default_channel.queue_purge("nobody's"))
    return process


def main():
    r.flushall()
    process = worker("first")
    try:
        together()
        alone()
        control()
        process = kill(process)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        work(sys.argv[3])
    else:
        main()
