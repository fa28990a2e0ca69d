package rdb

// maxGrowth is how many bytes three of LZF can stand for, at most.
const maxGrowth = 264

// decompress expands LZF to n bytes, for which src must have enough; ok is false if that is not what it is.
func decompress(src []byte, n uint64) (dst []byte, ok bool) {
	if n == 0 || n > (uint64(len(src))/3+1)*maxGrowth {
		return nil, false
	}
	dst = make([]byte, 0, n)
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		if c < 32 { // c+1 bytes as they are
			end := i + c + 1
			if end > len(src) || len(dst)+c+1 > cap(dst) {
				return nil, false
			}
			dst = append(dst, src[i:end]...)
			i = end
			continue
		}
		size := c >> 5
		if size == 7 {
			if i == len(src) {
				return nil, false
			}
			size += int(src[i])
			i++
		}
		if i == len(src) {
			return nil, false
		}
		size += 2
		from := len(dst) - (c&0x1f)<<8 - int(src[i]) - 1
		i++
		if from < 0 || len(dst)+size > cap(dst) {
			return nil, false
		}
		for size > 0 { // what is copied may be what it makes
			k := min(size, len(dst)-from)
			dst = append(dst, dst[from:from+k]...)
			size -= k
		}
	}
	return dst, uint64(len(dst)) == n
}
