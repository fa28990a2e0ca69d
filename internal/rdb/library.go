package rdb

import "errors"

// ErrNoLibrary is the error of a payload that holds something else than libraries of functions.
var ErrNoLibrary = errors.New("the payload holds no libraries of functions")

// versionFunctions is the first version that has libraries.
const versionFunctions = 10

// Library adds the code of a library of functions to what FUNCTION DUMP gives, which EndLibraries ends.
func (p *Payload) Library(code []byte) {
	p.Buf = append(p.Buf, markFunction)
	p.string(code)
}

// EndLibraries ends a payload of libraries, of which there may be none.
func (p *Payload) EndLibraries() {
	p.version = versionFunctions
	p.End()
}

// ParseLibraries reads the codes in a payload of FUNCTION DUMP. The error is ErrVersion, ErrNoLibrary or a *CorruptError.
func ParseLibraries(payload []byte) (codes [][]byte, err error) {
	body, err := checked(payload)
	if err != nil {
		return nil, err
	}
	d := decoder{source: source{buf: body}}
	for d.err == nil && d.pos < len(body) {
		if d.byte() != markFunction {
			return nil, ErrNoLibrary
		}
		codes = append(codes, d.string())
	}
	return codes, d.err
}
