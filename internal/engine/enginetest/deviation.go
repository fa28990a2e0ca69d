// Deviations: what an engine answers otherwise than the Redis that was recorded, and why.
package enginetest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// deviation is one call of one session whose answer differs.
//
// testdata/deviations/<engine>.txt lists them like this: why; where; in which ways of running, unless in all; then calls
// with the answers that the engine gives instead, in RESP3 too where that looks different. A call without an answer
// says that any other will do.
//
//	# 7.2 prints the shortest digits, 7.0 seventeen.
//	@session sorted-set/zscore.txt
//	@ways resp2 resp3
//	> ZSCORE z a
//	"0.1"
//	@resp3
//	(double) 0.1
//
// @any order, before calls, says that their answers are the recorded ones but for the order of elements, which may happen to be the same.
//
// Any other deviation that does not deviate fails, as does one whose session or call does not exist.
type deviation struct {
	where           string // file and line
	path, call      string
	ways            []string
	anyOrder        bool
	answer, answer3 []string
}

// readDeviations returns the deviations of an engine by path of their session. An engine over another one has two names.
func readDeviations(names string, sessions []*Session) (map[string][]*deviation, error) {
	byPath := map[string][]*deviation{}
	for name := range strings.FieldsSeq(names) {
		path := "deviations/" + name + ".txt"
		text, err := testdata.ReadFile("testdata/" + path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read deviations: %w", err)
		}
		all, err := parseDeviations(path, string(text))
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			if !d.exists(sessions) {
				return nil, fmt.Errorf("%s: no session %s has the call %s", d.where, d.path, d.call)
			}
			byPath[d.path] = append(byPath[d.path], d)
		}
	}
	return byPath, nil
}

func (d *deviation) exists(sessions []*Session) bool {
	for _, s := range sessions {
		if s.Path == d.path {
			return slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Text == d.call })
		}
	}
	return false
}

func parseDeviations(path, text string) (all []*deviation, err error) {
	var next deviation // what the calls that follow have in common
	reason := false
	var answer *[]string
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", path, i+1)
		word, value, _ := strings.Cut(line, " ")
		switch {
		case word == "#":
			if answer != nil {
				next = deviation{}
			}
			reason, answer = true, nil
		case line == "":
			answer = nil
			reason, next = false, deviation{}
		case word == "@session":
			next.path = value
		case word == "@ways":
			next.ways = strings.Fields(value)
		case line == "@any order":
			next.anyOrder = true
		case word == "@resp3" && answer != nil:
			answer = &all[len(all)-1].answer3
		case word == ">":
			if !reason || next.path == "" {
				return nil, fmt.Errorf("%s: a deviation needs a reason and a session", where)
			}
			d := next
			d.where, d.call = where, value
			all = append(all, &d)
			answer = &d.answer
		case answer != nil && !next.anyOrder:
			*answer = append(*answer, line)
		default:
			return nil, fmt.Errorf("%s: neither a call nor an answer: %s", where, line)
		}
	}
	return all, nil
}
