// Package hashslot tells in which slot of a cluster a key is.
//
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
package hashslot

// Of is the slot of a key, from 0 to 16383: the CRC16 (XMODEM) of it, or of what is between its first brace and the next closing one, if that is not empty.
func Of[K string | []byte](key K) int {
	from, to := 0, len(key)
	if open := index(key, '{', 0); open >= 0 {
		if end := index(key, '}', open+1); end > open+1 {
			from, to = open+1, end
		}
	}
	crc := uint16(0)
	for i := from; i < to; i++ {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*0x1021
		}
	}
	return int(crc & 0x3fff)
}

// index is where a byte is at or behind a place; -1: nowhere.
func index[K string | []byte](key K, b byte, from int) int {
	for i := from; i < len(key); i++ {
		if key[i] == b {
			return i
		}
	}
	return -1
}
