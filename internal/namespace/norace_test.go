//go:build !race

package namespace_test

const racing = false
