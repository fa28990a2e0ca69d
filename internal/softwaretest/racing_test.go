//go:build race

package softwaretest

// racing makes the servers be built with the race detector too, and the input smaller.
const racing = true
