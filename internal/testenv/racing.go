//go:build race

package testenv

// Racing reports whether the tests run under the race detector, which costs a test that only computes several times its time.
const Racing = true
