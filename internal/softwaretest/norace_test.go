//go:build !race

package softwaretest

const racing = false
