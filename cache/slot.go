// Hash slots: which keys a cluster can take at once.

package cache

import (
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// behind is the client of go-redis in one that wraps it, such as a redbud.DB.
func behind(client redis.UniversalClient) redis.UniversalClient {
	if w, ok := client.(interface{ Unwrap() redis.UniversalClient }); ok {
		return w.Unwrap()
	}
	return client
}

// clusterOf is the cluster behind a client; nil: there is none.
func clusterOf(client redis.UniversalClient) *redis.ClusterClient {
	cluster, _ := behind(client).(*redis.ClusterClient)
	return cluster
}

// groups are the places of keys in lists that an engine can take at once: by slot on a cluster, else all of them, which is nil.
func (c *Cache[T]) groups(keys []string) [][]int {
	if c.cluster == nil {
		return [][]int{nil}
	}
	bySlot := map[uint16][]int{}
	var slots []uint16
	for i, key := range keys {
		s := slot(key)
		if bySlot[s] == nil {
			slots = append(slots, s)
		}
		bySlot[s] = append(bySlot[s], i)
	}
	slices.Sort(slots) // the order of calls is not left to chance
	groups := make([][]int, len(slots))
	for i, s := range slots {
		groups[i] = bySlot[s]
	}
	return groups
}

// pick is the elements at some places, nil: all.
func pick[E any](list []E, places []int) []E {
	if places == nil {
		return list
	}
	picked := make([]E, len(places))
	for i, at := range places {
		picked[i] = list[at]
	}
	return picked
}

// slot is the slot of a key: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
func slot(key string) uint16 {
	if i := strings.IndexByte(key, '{'); i >= 0 {
		if n := strings.IndexByte(key[i+1:], '}'); n > 0 {
			key = key[i+1 : i+1+n]
		}
	}
	return crc16(key) % 16384
}

// crc16 is CRC-16/XMODEM.
func crc16(s string) (crc uint16) {
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
