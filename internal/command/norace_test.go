//go:build !race

package command_test

const racing = false
