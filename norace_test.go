//go:build !race

package redbud

const racing = false
