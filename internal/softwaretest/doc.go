// Package softwaretest holds the built binary against software that redbud does not know, and against bad input: what
// a stranger does to it. redis-cli, redis-benchmark, redis, RQ and Celery for Python, and go-redis talk to `redbud serve` over TCP, and
// where their output says how it should be, the same is done to a real redis-server.
//
// There is nothing here but tests. Of redbud they import testenv alone.
package softwaretest
