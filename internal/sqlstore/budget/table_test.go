package budget

import (
	"os"
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
	if len(table.columns) == 0 || len(table.costs) != len(cases()) {
		t.Errorf("%d columns, and %d lines for %d cases", len(table.columns), len(table.costs), len(cases()))
	}
	for _, c := range cases() {
		for _, column := range table.columns {
			if table.cost(c.name, column) == unknown {
				t.Errorf("%s: nobody knows what it costs on %s", c.name, column)
			}
		}
	}
}
