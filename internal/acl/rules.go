package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/resp"
)

// Mistake is what is wrong with a rule, in the words of Redis.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// The mistakes.
const (
	errUnknown   = Mistake("Unknown command or category name in ACL")
	errSyntax    = Mistake("Syntax error")
	errAllKeys   = Mistake("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")
	errAllNames  = Mistake("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels")
	errNoSuch    = Mistake("The password you are trying to remove from the user does not exist")
	errHash      = Mistake("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")
	errDuplicate = Mistake("Duplicate user found. A user can only be defined once in config files")
	errFirstArg  = Mistake("Allowing first-arg of a subcommand is not supported")
)

// draft is rights that are being made. What is listed has its place noted, so that a long list of rules takes no longer than
// each of them.
type draft struct {
	*Rights
	allChannels bool // what a new selector may listen to
	lists       []*draftLists
	passwords   map[digest]bool
}

// draftLists are the places of what a selector lists.
type draftLists struct {
	*selector
	keys     map[string]int
	channels map[string]bool
	rules    map[string]int   // place in selector.rules; a rule that a later one replaced is "" there
	under    map[string][]int // places of the rules on a command's subcommands and words
}

// draft begins with the rights as they are.
func (r *Rights) draft(allChannels bool) *draft {
	d := &draft{Rights: &Rights{}, allChannels: allChannels, passwords: map[digest]bool{}}
	*d.Rights = *r
	d.Rights.passwords = slices.Clone(r.passwords)
	for _, p := range r.passwords {
		d.passwords[p] = true
	}
	d.selectors = nil
	for _, s := range r.selectors {
		d.add(s.clone())
	}
	return d
}

// done are the rights that the draft has become.
func (d *draft) done() *Rights {
	for _, s := range d.selectors {
		s.rules = slices.DeleteFunc(s.rules, func(rule string) bool { return rule == "" })
	}
	d.all = slices.ContainsFunc(d.selectors, (*selector).everything)
	return d.Rights
}

func (s *selector) clone() *selector {
	c := *s
	c.commands, c.rules, c.keys, c.channels = slices.Clone(s.commands), slices.Clone(s.rules), slices.Clone(s.keys), slices.Clone(s.channels)
	c.words = maps.Clone(s.words)
	for i, list := range c.words {
		c.words[i] = slices.Clip(list)
	}
	return &c
}

// add adds a selector.
func (d *draft) add(s *selector) *draftLists {
	l := &draftLists{selector: s, keys: map[string]int{}, channels: map[string]bool{}}
	for i, p := range s.keys {
		l.keys[string(p.pattern)] = i
	}
	for _, c := range s.channels {
		l.channels[string(c)] = true
	}
	l.forgetRules()
	for i, rule := range s.rules {
		l.place(rule[1:], i)
	}
	d.selectors = append(d.selectors, s)
	d.lists = append(d.lists, l)
	return l
}

// apply applies one rule.
func (d *draft) apply(rule string) error {
	if rule == "" {
		return nil
	}
	if flag := flags[lower(rule)]; flag != nil {
		flag(d)
		return nil
	}
	switch rule[0] {
	case '>':
		d.addPassword(sha256.Sum256([]byte(rule[1:])))
		return nil
	case '#':
		sum, ok := parseDigest(rule[1:])
		if !ok {
			return errHash
		}
		d.addPassword(sum)
		return nil
	case '<':
		return d.removePassword(sha256.Sum256([]byte(rule[1:])))
	case '!':
		sum, ok := parseDigest(rule[1:])
		if !ok {
			return errHash
		}
		return d.removePassword(sum)
	case '(':
		if rule[len(rule)-1] == ')' {
			return d.addSelector(rule[1 : len(rule)-1])
		}
	}
	return d.lists[0].apply(rule)
}

// flags are the rules that concern the user as a whole.
var flags = map[string]func(*draft){
	"on":                    func(d *draft) { d.on = true },
	"off":                   func(d *draft) { d.on = false },
	"nopass":                func(d *draft) { d.noPass = true; d.forgetPasswords() },
	"resetpass":             func(d *draft) { d.noPass = false; d.forgetPasswords() },
	"skip-sanitize-payload": func(d *draft) { d.sanitize = sanitizeNever },
	"sanitize-payload":      func(d *draft) { d.sanitize = sanitizeAlways },
	"clearselectors":        func(d *draft) { d.selectors, d.lists = d.selectors[:1], d.lists[:1] },
	"reset": func(d *draft) {
		d.on, d.noPass, d.sanitize = false, false, sanitizeAlways
		d.forgetPasswords()
		d.selectors, d.lists = nil, nil
		d.add(newSelector(d.allChannels))
	},
}

func (d *draft) addPassword(sum digest) {
	d.noPass = false
	if !d.passwords[sum] {
		d.passwords[sum] = true
		d.Rights.passwords = append(d.Rights.passwords, sum)
	}
}

func (d *draft) removePassword(sum digest) error {
	if !d.passwords[sum] {
		return errNoSuch
	}
	delete(d.passwords, sum)
	d.Rights.passwords = slices.DeleteFunc(d.Rights.passwords, func(p digest) bool { return p == sum })
	return nil
}

func (d *draft) forgetPasswords() {
	d.Rights.passwords = nil
	clear(d.passwords)
}

// parseDigest reads a SHA-256 in lower-case hexadecimal.
func parseDigest(text string) (sum digest, ok bool) {
	if len(text) != hex.EncodedLen(len(sum)) || strings.ToLower(text) != text {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(text))
	return sum, err == nil
}

// addSelector adds a selector with the rules in text, which are quoted as words of redis-cli are. Rules that cannot be told
// apart make, as in Redis, one that allows nothing.
func (d *draft) addSelector(text string) error {
	words, _ := resp.SplitWords([]byte(text))
	l := d.add(newSelector(d.allChannels))
	for _, w := range words {
		if err := l.apply(string(w)); err != nil {
			return err
		}
	}
	return nil
}

// apply applies a rule on what the selector allows.
func (l *draftLists) apply(rule string) error {
	switch low := lower(rule); {
	case rule == "":
		return errSyntax
	case low == "allkeys" || rule == "~*":
		l.allKeys, l.selector.keys = true, nil
		clear(l.keys)
	case low == "resetkeys":
		l.allKeys, l.selector.keys = false, nil
		clear(l.keys)
	case low == "allchannels" || rule == "&*":
		l.allChannels, l.selector.channels = true, nil
		clear(l.channels)
	case low == "resetchannels":
		l.allChannels, l.selector.channels = false, nil
		clear(l.channels)
	case low == "allcommands" || low == "+@all":
		l.allCommands(true)
	case low == "nocommands" || low == "-@all":
		l.allCommands(false)
	case rule[0] == '~' || rule[0] == '%':
		return l.addKeys(rule)
	case rule[0] == '&':
		return l.addChannels(rule[1:])
	case rule[0] == '+' || rule[0] == '-':
		return l.setCommands(low[1:], rule[0] == '+')
	default:
		return errSyntax
	}
	return nil
}

// addKeys adds a pattern of keys: "~pattern", or with the accesses told "%RW~pattern".
func (l *draftLists) addKeys(rule string) error {
	if l.allKeys {
		return errAllKeys
	}
	access, pattern := fullAccess, rule[1:]
	if rule[0] == '%' {
		var letters string
		var ok bool
		if letters, pattern, ok = strings.Cut(pattern, "~"); !ok && letters == "" {
			return errSyntax
		}
		access = 0
		for _, letter := range []byte(strings.ToUpper(letters)) {
			a := map[byte]command.Access{'R': command.Reads, 'W': command.Writes}[letter]
			if a == 0 || access&a != 0 {
				return errSyntax
			}
			access |= a
		}
		if access == 0 {
			return errSyntax
		}
	}
	if hasSpaces(pattern) {
		return errSyntax
	}
	if i, ok := l.keys[pattern]; ok {
		l.selector.keys[i].access |= access
		return nil
	}
	l.keys[pattern] = len(l.selector.keys)
	l.selector.keys = append(l.selector.keys, keyPattern{[]byte(pattern), access})
	return nil
}

func (l *draftLists) addChannels(pattern string) error {
	switch {
	case l.allChannels:
		return errAllNames
	case hasSpaces(pattern):
		return errSyntax
	case !l.channels[pattern]:
		l.channels[pattern] = true
		l.selector.channels = append(l.selector.channels, []byte(pattern))
	}
	return nil
}

func (l *draftLists) allCommands(on bool) {
	l.commands.fill(on)
	l.future, l.words, l.selector.rules = on, nil, nil
	l.forgetRules()
}

// setCommands allows or forbids a command, a category or, if it is to be allowed, a first argument. name is in lower case.
func (l *draftLists) setCommands(name string, allow bool) error {
	if category, ok := strings.CutPrefix(name, "@"); ok {
		rows, ok := categories[category]
		if !ok {
			return errUnknown
		}
		l.setRows(rows, allow)
		l.note(name, allow)
		return nil
	}
	at := strings.LastIndexByte(name, '|')
	row := command.Commands.Named([]byte(name))
	if at >= 0 && allow {
		container := command.Commands.Named([]byte(name[:at]))
		switch {
		case container == nil && !elsewhere(name):
			return errUnknown
		case container == nil:
			l.note(name, allow)
			return nil
		case container.Parent() != nil:
			return errFirstArg
		case at == len(name)-1:
			return errSyntax
		case container.Subs == nil:
			l.allowWord(container, name[at+1:])
			l.note(name, allow)
			return nil
		}
	}
	switch {
	case row != nil:
		l.setRows(withSubs(row), allow)
	case !elsewhere(name):
		return errUnknown
	}
	l.note(name, allow)
	return nil
}

// elsewhere reports whether a name is of a command, or of one's subcommand, that Redis has and the table has not. Lists of users
// name such commands; what is said of them is kept and means nothing.
func elsewhere(name string) bool {
	name, _, _ = strings.Cut(name, "|")
	return redisHas[name] && command.Commands.Lookup([]byte(name)) == nil
}

// redisHas are commands of Redis 7.2 that not every table has.
var redisHas = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(`asking bgrewriteaof bgsave cluster debug eval eval_ro evalsha evalsha_ro failover fcall fcall_ro
		function lastsave latency lolwut migrate module psync readonly readwrite replconf replicaof restore-asking save script shutdown
		slaveof slowlog sync`) {
		names[name] = true
	}
	return names
}()

func (l *draftLists) setRows(rows []*command.Command, allow bool) {
	for _, row := range rows {
		l.commands.set(row.Index(), allow)
		delete(l.words, row.Index())
	}
}

// allowWord allows a command with just this first argument.
func (l *draftLists) allowWord(row *command.Command, word string) {
	if _, ok := l.rules[row.Name+"|"+word]; ok && slices.Contains(l.words[row.Index()], word) {
		return
	}
	if l.words == nil {
		l.words = map[int][]string{}
	}
	l.words[row.Index()] = append(l.words[row.Index()], word)
}

// note keeps a rule on commands. It takes the place of an older one on the same, and of those on its subcommands.
func (l *draftLists) note(name string, allow bool) {
	if i, ok := l.rules[name]; ok {
		l.selector.rules[i] = ""
	}
	for _, i := range l.under[name] {
		if rule := l.selector.rules[i]; rule != "" {
			delete(l.rules, rule[1:])
			l.selector.rules[i] = ""
		}
	}
	delete(l.under, name)
	l.place(name, len(l.selector.rules))
	sign := "-"
	if allow {
		sign = "+"
	}
	l.selector.rules = append(l.selector.rules, sign+name)
}

// place notes where a rule stands.
func (l *draftLists) place(name string, i int) {
	l.rules[name] = i
	if container, _, ok := strings.Cut(name, "|"); ok {
		l.under[container] = append(l.under[container], i)
	}
}

func (l *draftLists) forgetRules() { l.rules, l.under = map[string]int{}, map[string][]int{} }

// merged joins the words of selectors that were given in several: "(+get", "~a)". unclosed is where one begins that has no end;
// negative: there is none.
func merged(words []string) (rules []string, unclosed int) {
	for i := 0; i < len(words); i++ {
		if !strings.HasPrefix(words[i], "(") || strings.HasSuffix(words[i], ")") {
			rules = append(rules, words[i])
			continue
		}
		end := i + 1
		for end < len(words) && !strings.HasSuffix(words[end], ")") {
			end++
		}
		if end == len(words) {
			return nil, i
		}
		rules = append(rules, strings.Join(words[i:end+1], " "))
		i = end
	}
	return rules, -1
}

// hasSpaces reports whether a text could not stand in a line of rules.
func hasSpaces(text string) bool { return strings.ContainsAny(text, " \t\n\v\f\r\x00") }

// lower is a text with ASCII letters in lower case.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for i, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
