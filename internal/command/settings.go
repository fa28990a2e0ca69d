package command

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/resp"
)

// Kind is how the value of a setting is read and printed.
type Kind uint8

// The kinds of settings.
const (
	Text   Kind = iota // any bytes
	Bool               // "yes" or "no"
	Int                // a decimal integer between Min and Max
	Memory             // an integer that may end in k, kb, m, mb, g, gb, b
	Enum               // one of Words
)

// Setting describes one parameter of CONFIG.
type Setting struct {
	Name    string
	Alias   string // an older name for the same; default none
	Kind    Kind
	Default string

	Min, Max int64    // bounds of Int and Memory; both 0: from 0 up
	Words    []string // the values of an Enum, in the order of their numbers

	Immutable bool // CONFIG SET refuses it, since it is decided at the start
	Protected bool // CONFIG SET refuses it, since whoever sets it could write files
	Hidden    bool // patterns do not select it
	Percent   bool // a Memory may be a percentage too, kept as a negative number

	// Normal checks a Text and returns the form that is kept; old is the value before. Default: as it is.
	Normal func(old, value string) (string, error)
	// Get tells the value that CONFIG GET shows. Default: the one that is kept.
	Get func() string
	// Apply makes a new value work; its error takes the whole CONFIG SET back. It is called once all values
	// of a CONFIG SET are kept, and must neither set settings nor call the engine. Default: nothing to do.
	Apply func(value string) error
}

// Settings is what CONFIG reads and writes: named parameters. It is safe for concurrent use.
type Settings struct {
	mu      sync.Mutex // one change at a time
	params  atomic.Pointer[map[string]*parameter]
	version atomic.Int64 // counts changes
}

// parameter is a setting with its value, which readers load without a lock.
type parameter struct {
	Setting
	number atomic.Int64 // all kinds but Text; a Bool is 0 or 1, an Enum the place in Words
	text   atomic.Pointer[string]
}

func newSettings() *Settings {
	s := &Settings{}
	s.params.Store(&map[string]*parameter{})
	s.Register(knownSettings()...)
	s.Register(unusedSettings()...)
	return s
}

// Register adds settings, in place of those of the same name. It panics where a default does not fit its setting.
func (s *Settings) Register(settings ...Setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	params := make(map[string]*parameter, len(*s.params.Load())+len(settings))
	for name, p := range *s.params.Load() {
		params[name] = p
	}
	for _, setting := range settings {
		p := &parameter{Setting: setting}
		v, err := p.parse(setting.Default)
		if err != nil {
			panic("command: default of setting " + setting.Name + ": " + err.Error())
		}
		p.keep(v)
		params[setting.Name] = p
		if setting.Alias != "" {
			params[setting.Alias] = p
		}
	}
	s.params.Store(&params)
	s.version.Add(1)
}

// then makes something follow from the values of settings.
func (s *Settings) then(apply func(string) error, names ...string) {
	for _, name := range names {
		setting := s.must(name).Setting
		setting.Apply = apply
		s.Register(setting)
	}
}

// Version is another number after every change: what follows from a setting may be kept as long as it stays.
func (s *Settings) Version() int64 { return s.version.Load() }

// Int is the value of a setting that is not Text: a number, 0 or 1, or the place in Words. It costs a map lookup.
// It panics if there is no such setting.
func (s *Settings) Int(name string) int64 { return s.must(name).number.Load() }

// Bool is the value of a Bool setting. It panics if there is no such setting.
func (s *Settings) Bool(name string) bool { return s.must(name).number.Load() != 0 }

// String is the value of a setting of any kind as CONFIG GET prints it. It panics if there is no such setting.
func (s *Settings) String(name string) string { return s.must(name).print() }

func (s *Settings) must(name string) *parameter {
	p := (*s.params.Load())[name]
	if p == nil {
		panic("command: no setting " + name)
	}
	return p
}

// lookup finds a setting without regard to case; nil if there is none.
func (s *Settings) lookup(name string) *parameter { return (*s.params.Load())[strings.ToLower(name)] }

// Match visits the settings that any of the patterns selects, each once. A pattern without glob characters is a
// name, and is handed back as it was written.
func (s *Settings) Match(patterns []string, f func(name, value string)) {
	params := *s.params.Load()
	seen := map[string]bool{}
	visit := func(name, shown string) {
		if p := params[name]; p != nil && !seen[name] {
			seen[name] = true
			f(shown, p.print())
		}
	}
	var names []string
	for _, pattern := range patterns {
		low := strings.ToLower(pattern)
		if !strings.ContainsAny(pattern, "[*?") {
			visit(low, pattern)
			continue
		}
		if names == nil {
			for name, p := range params {
				if !p.Hidden {
					names = append(names, name)
				}
			}
			slices.Sort(names)
		}
		for _, name := range names {
			if Match([]byte(low), []byte(name)) {
				visit(name, name)
			}
		}
	}
}

// Set changes settings, name and value in turn: all of them or, with an error in the words of CONFIG SET, none.
func (s *Settings) Set(pairs ...string) error { return s.set(nil, pairs) }

// SetProtected is Set for who may also set what is protected.
func (s *Settings) SetProtected(pairs ...string) error {
	return s.set(func(p *parameter) bool { return p.Protected }, pairs)
}

// Begin is Set for who decides at the start: any setting can be set.
func (s *Settings) Begin(pairs ...string) error {
	return s.set(func(*parameter) bool { return true }, pairs)
}

// set is Set. Where may is not nil, it says what can be set although it is immutable or protected.
func (s *Settings) set(may func(*parameter) bool, pairs []string) error {
	if len(pairs)%2 != 0 {
		return ErrSyntax
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := s.changes(may, pairs)
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		c.old = c.p.load()
		if c.new, err = c.p.parse(pairs[2*i+1]); err != nil {
			undo(changes[:i])
			return notSet(c.name, err)
		}
		c.p.keep(c.new)
	}
	s.version.Add(1)
	for i, c := range changes {
		if c.p.Apply == nil {
			continue
		}
		if err := c.p.Apply(c.p.format(c.new)); err != nil {
			undo(changes)
			s.version.Add(1)
			for _, applied := range changes[:i] {
				if applied.p.Apply != nil {
					// It worked with this value before; there is nobody to tell if it no longer does.
					_ = applied.p.Apply(applied.p.format(applied.old))
				}
			}
			return notSet(c.name, err)
		}
	}
	return nil
}

// setChange is one pair of a CONFIG SET.
type setChange struct {
	p        *parameter
	name     string
	old, new settingValue
}

// undo puts the old values back.
func undo(changes []setChange) {
	for _, c := range slices.Backward(changes) {
		c.p.keep(c.old)
	}
}

// changes looks the names of the pairs up and refuses those that cannot be set.
func (s *Settings) changes(may func(*parameter) bool, pairs []string) ([]setChange, error) {
	changes := make([]setChange, 0, len(pairs)/2)
	seen := map[string]bool{}
	for i := 0; i < len(pairs); i += 2 {
		p, name := s.lookup(pairs[i]), strings.ToLower(pairs[i])
		locked := p != nil && (may == nil || !may(p))
		switch {
		case p == nil:
			return nil, Refusal("ERR Unknown option or number of arguments for CONFIG SET - '" + pairs[i] + "'")
		case p.Immutable && locked:
			return nil, notSet(pairs[i], errImmutable)
		case p.Protected && locked:
			return nil, notSet(pairs[i], errProtected)
		case seen[name]:
			return nil, notSet(pairs[i], errDuplicate)
		}
		seen[name] = true
		changes = append(changes, setChange{p: p, name: name})
	}
	return changes, nil
}

// What CONFIG SET has against a parameter.
var (
	errImmutable = errors.New("can't set immutable config")
	errProtected = errors.New("can't set protected config")
	errDuplicate = errors.New("duplicate parameter")
	errBool      = errors.New("argument must be 'yes' or 'no'")
	errInt       = errors.New("argument couldn't be parsed into an integer")
	errMemory    = errors.New("argument must be a memory value")
	errPercent   = errors.New("argument must be a memory or percent value")
)

func notSet(name string, why error) error {
	return Refusal("ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why.Error())
}

// settingValue is a value of any kind: text for Text, number for the others.
type settingValue struct {
	text   string
	number int64
}

func (p *parameter) load() settingValue {
	return settingValue{text: *p.text.Load(), number: p.number.Load()}
}

func (p *parameter) keep(v settingValue) {
	p.text.Store(&v.text)
	p.number.Store(v.number)
}

func (p *parameter) print() string {
	if p.Get != nil {
		return p.Get()
	}
	return p.format(p.load())
}

// format is the text of a value, as CONFIG GET prints it.
func (p *parameter) format(v settingValue) string {
	switch p.Kind {
	case Bool:
		if v.number != 0 {
			return "yes"
		}
		return "no"
	case Int, Memory:
		if p.Percent && v.number < 0 {
			return strconv.FormatInt(-v.number, 10) + "%"
		}
		return strconv.FormatInt(v.number, 10)
	case Enum:
		return p.Words[v.number]
	}
	return v.text
}

// parse reads a value in the way of its kind.
func (p *parameter) parse(value string) (v settingValue, err error) {
	switch p.Kind {
	case Bool:
		switch strings.ToLower(value) {
		case "yes":
			v.number = 1
		case "no":
		default:
			return v, errBool
		}
		return v, nil
	case Int:
		n, ok := resp.ParseInt([]byte(value))
		if !ok {
			return v, errInt
		}
		v.number = n
		return v, p.bounded(n)
	case Memory:
		if share, is := strings.CutSuffix(value, "%"); is && p.Percent {
			return parsePercent(share)
		}
		n, ok := ParseMemory(value)
		if !ok && p.Percent {
			return v, errPercent
		}
		if !ok {
			return v, errMemory
		}
		v.number = n
		return v, p.bounded(n)
	case Enum:
		for i, word := range p.Words {
			if strings.EqualFold(word, value) {
				v.number = int64(i)
				return v, nil
			}
		}
		return v, errors.New("argument(s) must be one of the following: " + strings.Join(p.Words, ", "))
	}
	v.text = value
	if p.Normal != nil {
		old := ""
		if t := p.text.Load(); t != nil {
			old = *t
		}
		v.text, err = p.Normal(old, value)
	}
	return v, err
}

// parsePercent reads a percentage, which is kept as a negative number.
func parsePercent(value string) (v settingValue, err error) {
	n, ok := resp.ParseInt([]byte(value))
	switch {
	case !ok || n < 0:
		return v, errPercent
	case n > 100:
		return v, errors.New("percentage argument must be less or equal to 100")
	}
	v.number = -n
	return v, nil
}

// bounded refuses a number outside the bounds.
func (p *parameter) bounded(n int64) error {
	low, high := p.Min, p.Max
	if low == 0 && high == 0 {
		high = math.MaxInt64
	}
	if n < low || n > high {
		return errors.New("argument must be between " + strconv.FormatInt(low, 10) + " and " +
			strconv.FormatInt(high, 10) + " inclusive")
	}
	return nil
}

// ParseMemory reads a size in bytes as the configuration of Redis spells it: digits, then k, m or g for powers of
// 1000, kb, mb or gb for powers of 1024, b or nothing. What does not fit 64 bits is the highest size; no digits
// are 0, as in Redis.
func ParseMemory(s string) (bytes int64, ok bool) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	unit := int64(0)
	switch strings.ToLower(s[end:]) {
	case "", "b":
		unit = 1
	case "k":
		unit = 1000
	case "kb":
		unit = 1 << 10
	case "m":
		unit = 1000 * 1000
	case "mb":
		unit = 1 << 20
	case "g":
		unit = 1000 * 1000 * 1000
	case "gb":
		unit = 1 << 30
	default:
		return 0, false
	}
	if end == 0 {
		return 0, true
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return math.MaxInt64, true // digits alone: only the range can be wrong
	}
	return n * unit, true
}
