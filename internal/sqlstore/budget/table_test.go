package budget

import (
	"os"
	"strings"
	"testing"
)

func init() { tableFile, pageFile = "testdata/budget.txt", "../../../docs/sql.md" }

func TestThePageHasTheTable(t *testing.T) {
	want, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has another table than %s: the tests of the engines write both, with -update", pageFile, tableFile)
	}
}

func TestTheTableIsComplete(t *testing.T) {
	table, err := readTable()
	if err != nil {
		t.Fatal(err)
	}
	if len(table.costs) != len(cases()) {
		t.Errorf("%d lines for %d cases", len(table.costs), len(cases()))
	}
	for _, c := range cases() {
		row := strings.Join(table.costs[c.name], " ")
		if row == "" || strings.Contains(row, "?") {
			t.Errorf("%s: %q", c.name, row)
		}
	}
}
