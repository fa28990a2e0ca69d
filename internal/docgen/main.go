// Docgen writes docs/commands.md from the table of commands and the deviations of the engines, so that the page cannot
// tell anything else than the code does.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
)

//go:generate go run .

// Paths from this directory, which go generate and go test both run in.
const (
	page       = "../../docs/commands.md"
	deviations = "../engine/enginetest/testdata/deviations"
)

func main() {
	log.SetFlags(0)
	text, err := render(deviations)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(page, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// engines are those that the page tells deviations of, each named as its file is.
var engines = []string{"memory", "sql", "redis"}

// render is the whole page.
func render(deviationsDir string) ([]byte, error) {
	known := map[string]map[string][]string{} // by engine and command
	for _, engine := range engines {
		file, err := readDeviations(filepath.Join(deviationsDir, engine+".txt"))
		if err != nil {
			return nil, err
		}
		known[engine] = file
	}
	var b strings.Builder
	b.WriteString(head)
	for _, group := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| command | arguments | since | engines | deviations |\n|---|---|---|---|---|\n", title(group))
		command.Commands.Each(func(c *command.Command) {
			if c.Group == group && (c.Run != nil || c.Subs == nil) {
				writeRow(&b, c, known)
			}
		})
	}
	return []byte(b.String()), nil
}

const head = `<!-- Written by go generate ./internal/docgen. Changes belong into the table of commands or the deviations. -->

# Commands

What redbud answers by itself, as Redis ` + "`" + command.RedisVersion + "`" + ` does. *Since* is the version of Redis that brought the command, or of redbud.
*All* are the engines: embedded ones (memory, SQLite, PostgreSQL, MySQL) and *redis*, which passes every call on, so it also runs what its server knows and this page does not.
*Embedded* commands are of redbud's own: a Redis does not know them. *Session* commands concern the connection: they are answered before any engine.
A deviation is an answer that differs from the one a real Redis gave; each stands in a file of ` + "`internal/engine/enginetest/testdata/deviations`" + `.
`

// groups are the groups of the table in the order in which they first appear.
func groups() []string {
	var groups []string
	command.Commands.Each(func(c *command.Command) {
		if !slices.Contains(groups, c.Group) {
			groups = append(groups, c.Group)
		}
	})
	return groups
}

func title(group string) string {
	return strings.ToUpper(group[:1]) + strings.ReplaceAll(group[1:], "-", " ")
}

func writeRow(b *strings.Builder, c *command.Command, known map[string]map[string][]string) {
	name := strings.ReplaceAll(c.FullName(), "|", " ")
	answered := "all"
	switch {
	case c.Flags&command.Session != 0:
		answered = "session"
	case strings.HasPrefix(c.Name, "redbud."):
		answered = "embedded"
	}
	var notes []string
	for _, engine := range engines {
		for _, reason := range known[engine][name] {
			if note := engine + ": " + reason; !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	usage := ""
	if c.Usage != "" {
		usage = "`" + cell(c.Usage) + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", strings.ToUpper(name), usage, c.Since, answered,
		cell(strings.Join(notes, "; ")))
}

// cell escapes what would end a cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// readDeviations reads a file of deviations, whose form package enginetest explains, into reasons by command: the comment
// above a call is its reason. An engine without such a file deviates nowhere.
func readDeviations(path string) (map[string][]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string][]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read deviations: %w", err)
	}
	reasons := map[string][]string{}
	var reason []string
	inComment := false
	for n, line := range strings.Split(string(data), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark == "#" {
			if !inComment {
				reason = nil
			}
			reason = append(reason, rest)
		}
		inComment = mark == "#"
		if mark != ">" {
			continue
		}
		if reason == nil {
			return nil, fmt.Errorf("read deviations: %s:%d: no reason for %q", path, n+1, rest)
		}
		name, text := commandOf(rest), strings.Join(reason, " ")
		if !slices.Contains(reasons[name], text) {
			reasons[name] = append(reasons[name], text)
		}
	}
	return reasons, nil
}

// commandOf is the name of the command that a line calls, as the page spells it.
func commandOf(line string) string {
	words := append(strings.Fields(strings.ToLower(line)), "")
	if c := command.Commands.Lookup([]byte(words[0])); c != nil && c.Subs != nil && len(words) > 2 {
		return words[0] + " " + words[1]
	}
	return words[0]
}
