//go:build !race

package testenv

// Racing is explained in racing.go.
const Racing = false
