"""Has workers of RQ do jobs, and prints what becomes of them. Usage: rqjobs.py HOST PORT; with a name, it is a worker."""

import datetime
import logging
import os
import signal
import subprocess
import sys
import time

import redis
from rq import Queue, Retry, Worker
from rq.command import send_shutdown_command, send_stop_job_command

from printing import host, port, show, until

r = redis.Redis(host, port)
queue = Queue(connection=r)
urgent = Queue("urgent", connection=r)


def add(a, b):
    return a + b


def note(text):
    """Tells in which order jobs ran."""
    return r.rpush("notes", text)


def fail():
    raise ValueError("on purpose")


def third():
    """Succeeds when it is run for the third time."""
    if r.incr("runs") < 3:
        raise RuntimeError("too early")
    return "at last"


def hang():
    """Tells its process, and does not end."""
    r.rpush("hanging", os.getpid())
    while True:
        time.sleep(1)


def noted(job, connection, result):
    connection.rpush("callbacks", str(result))


def noticed(job, connection, kind, error, trace):
    connection.rpush("callbacks", kind.__name__ + " " + str(error))


def worker(name):
    return subprocess.Popen(
        [sys.executable, __file__, host, str(port), name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def work(name):
    logging.disable()
    Worker([urgent, queue], name=name, connection=r).work(with_scheduler=True)


def job(function, *args, into=queue, **kwargs):
    return into.enqueue("rqjobs." + function, *args, **kwargs)


def outcome(j):
    until(lambda: j.get_status(refresh=True) in ("finished", "failed", "stopped"))
    return j.get_status(), j.result


def results():
    jobs = [job("add", i, i) for i in range(20)]
    show("results", [outcome(j) for j in jobs])
    show("of many", [outcome(j) for j in queue.enqueue_many([Queue.prepare_data("rqjobs.add", (i, 1)) for i in range(20)])])
    brief = job("add", 1, 1, result_ttl=1)
    until(lambda: brief.result == 2)
    until(lambda: not r.exists(brief.key))


def failures():
    failed = job("fail", on_failure=noticed)
    show("failed", (outcome(failed), failed.exc_info.splitlines()[-1], queue.failed_job_registry.count))
    queue.failed_job_registry.requeue(failed.id)
    show("failed again", outcome(failed))
    retried = job("third", retry=Retry(max=5))
    until(lambda: retried.get_status(refresh=True) == "finished")
    show("retried", (retried.result, r.get("runs")))


def orders():
    first = job("note", "first")
    second = job("note", "second", depends_on=first)
    third = job("note", "third", depends_on=[first, second])
    show("dependent", (outcome(third), r.lrange("notes", 0, -1)))


def schedule():
    later = queue.enqueue_in(datetime.timedelta(seconds=1), "rqjobs.add", 2, 3)
    show("scheduled", (later.get_status(), later in queue.scheduled_job_registry))
    show("later", outcome(later))
    never = queue.enqueue_in(datetime.timedelta(hours=1), "rqjobs.add", 2, 3)
    never.cancel()
    show("canceled", (never.get_status(), never in queue.scheduled_job_registry))


def stop():
    hanging = job("hang")
    until(lambda: r.lpop("hanging"))
    show("working", [(w.name, w.get_state(), w.get_current_job_id() == hanging.id) for w in Worker.all(r)])
    send_stop_job_command(r, hanging.id)
    show("stopped", outcome(hanging))


def kill(process):
    """Kills a worker with what it is doing. Another goes on with what is in the queue."""
    hanging = job("hang")
    until(lambda: r.llen("hanging"))
    process.kill()
    process.wait()
    os.kill(int(r.lpop("hanging")), signal.SIGKILL)
    show("abandoned", (hanging.get_status(refresh=True), queue.started_job_registry.get_job_ids() == [hanging.id]))
    job("note", "usual")
    waiting = job("note", "urgent", into=urgent)
    r.delete("notes")
    process = worker("second")
    outcome(waiting)
    until(lambda: r.llen("notes") == 2)
    show("after another", r.lrange("notes", 0, -1))
    return process


def main():
    r.flushall()
    process = worker("first")
    try:
        results()
        failures()
        show("succeeded", outcome(job("add", 1, 2, on_success=noted)))
        until(lambda: r.llen("callbacks") == 3)
        show("callbacks", r.lrange("callbacks", 0, -1))
        orders()
        schedule()
        stop()
        process = kill(process)
        send_shutdown_command(r, "second")
        show("shut down", process.wait())
        show("queues", sorted((q.name, q.count) for q in Queue.all(r)))
    finally:
        process.kill()


if __name__ == "__main__":
    import rqjobs  # jobs go by the name of the module that they are in

    if len(sys.argv) > 3:
        rqjobs.work(sys.argv[3])
    else:
        rqjobs.main()
