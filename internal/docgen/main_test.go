package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
)

func TestCommandsPageIsWhatTheTableSays(t *testing.T) {
	want, err := render(deviations)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("docs/commands.md is stale: run make docs")
	}
}

func TestEveryCommandIsOnThePageOnce(t *testing.T) {
	text, err := render(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	command.Commands.Each(func(c *command.Command) {
		if c.Run == nil && c.Subs != nil {
			return
		}
		row := "\n| `" + strings.ToUpper(strings.ReplaceAll(c.FullName(), "|", " ")) + "` |"
		if n := strings.Count(string(text), row); n != 1 {
			t.Errorf("%s is there %d times", c.FullName(), n)
		}
	})
}

func TestDeviationsStandBesideTheirCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "memory.txt")
	text := "# Keeps the key |\n# for now.\n@session string/getdel.txt\n> GETDEL k\n\"v\"\n> GETDEL l\n(nil)\n" +
		"\n# Tells more.\n@session server/config.txt\n> CONFIG GET *\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| `GETDEL` | `key` | 6.2.0 | all | memory: Keeps the key \\| for now. |\n",
		"| `CONFIG GET` | `parameter [parameter ...]` | 2.0.0 | all | memory: Tells more. |\n",
	} {
		if !strings.Contains(string(out), row) {
			t.Errorf("no %q in\n%s", row, out)
		}
	}
	if err := os.WriteFile(file, []byte("> GETDEL k\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := render(dir); err == nil || !strings.Contains(err.Error(), "memory.txt:1") {
		t.Errorf("a deviation without a reason: %v", err)
	}
}
