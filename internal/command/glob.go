package command

// Match reports whether s matches a glob pattern as Redis's stringmatchlen has it: * any run, ? any byte, [ab] [^ab]
// [a-z] classes (a reversed range is turned round, an unterminated class ends with the pattern), \x the byte x.
// It works on bytes and never takes more than pattern times text steps.
func Match(pattern, s []byte) bool {
	// Where to go on after a mismatch: behind the last star, one byte further in s.
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		if p < len(pattern) {
			if ok, n := matchOne(pattern[p:], s[i]); ok {
				p += n
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one byte against the first element of a pattern that is no star, and tells its length.
func matchOne(p []byte, c byte) (ok bool, n int) {
	switch {
	case p[0] == '?':
		return true, 1
	case p[0] == '[':
		return matchClass(p, c)
	case p[0] == '\\' && len(p) > 1:
		return p[1] == c, 2
	}
	return p[0] == c, 1
}

func matchClass(p []byte, c byte) (ok bool, n int) {
	i := 1
	not := i < len(p) && p[i] == '^'
	if not {
		i++
	}
	for {
		switch {
		case i >= len(p):
			return ok != not, len(p)
		case p[i] == ']':
			return ok != not, i + 1
		case p[i] == '\\' && i+1 < len(p):
			ok = ok || p[i+1] == c
			i += 2
		case i+2 < len(p) && p[i+1] == '-':
			lo, hi := p[i], p[i+2]
			if lo > hi {
				lo, hi = hi, lo
			}
			ok = ok || lo <= c && c <= hi
			i += 3
		default:
			ok = ok || p[i] == c
			i++
		}
	}
}

// literal reports whether a pattern matches only itself.
func literal(pattern []byte) bool {
	for _, c := range pattern {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			return false
		}
	}
	return true
}
