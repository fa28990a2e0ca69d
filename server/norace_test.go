//go:build !race

package server

// racing is explained in race_test.go.
const racing = false
