//go:build race

package command_test

// racing: under the race detector a sync.Pool forgets at random, and what is counted then means nothing.
const racing = true
