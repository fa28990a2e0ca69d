package budget

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Where the table stands, from the directory of any engine and from this one.
var (
	tableFile = "../../internal/sqlstore/budget/testdata/budget.txt"
	pageFile  = "../../docs/sql.md"
)

// The page has the table between these lines.
const (
	pageBegin = "<!-- the table of budgets, which a test writes -->\n```\n"
	pageEnd   = "```\n<!-- its end -->\n"
)

// columns are in this order.
var columns = []string{"SQLite", "PostgreSQL", "MySQL"}

// table is what each case costs: by its name, a cell for each column.
type table struct {
	columns []string
	costs   map[string][]string
}

// readTable reads the file: lines whose cells are apart by two spaces at least, the first with the names of the columns.
func readTable() (*table, error) {
	t := &table{costs: map[string][]string{}}
	text, err := os.ReadFile(tableFile)
	if errors.Is(err, fs.ErrNotExist) && *update {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var cells []string
		for cell := range strings.SplitSeq(line, "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		switch {
		case len(cells) == 0:
			return nil, fmt.Errorf("%s has an empty line", tableFile)
		case t.columns == nil:
			t.columns = cells[1:]
		case len(cells) != 1+len(t.columns):
			return nil, fmt.Errorf("%s: %s: %d cells, want %d", tableFile, cells[0], len(cells), 1+len(t.columns))
		default:
			t.costs[cells[0]] = cells[1:]
		}
	}
	return t, nil
}

// unknown is the cost of a case that nobody has measured.
const unknown = "?"

// cost is what a case costs on the database of a column.
func (t *table) cost(name, column string) string {
	i, row := slices.Index(t.columns, column), t.costs[name]
	if i < 0 || row == nil {
		return unknown
	}
	return row[i]
}

// with is the table of today's cases with what some of them cost in a column.
func (t *table) with(column string, costs map[string]string) *table {
	made := &table{costs: map[string][]string{}}
	for _, name := range columns {
		if name == column || slices.Contains(t.columns, name) {
			made.columns = append(made.columns, name)
		}
	}
	for _, c := range cases() {
		for _, name := range made.columns {
			cell := t.cost(c.name, name)
			if cost, ok := costs[c.name]; ok && name == column {
				cell = cost
			}
			made.costs[c.name] = append(made.costs[c.name], cell)
		}
	}
	return made
}

// String is the table as it stands in the file.
func (t *table) String() string {
	rows := [][]string{append([]string{"call"}, t.columns...)}
	for _, c := range cases() {
		rows = append(rows, append([]string{c.name}, t.costs[c.name]...))
	}
	widths := make([]int, 1+len(t.columns))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("%-*s", widths[i]+2, cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// write writes the file and the page.
func (t *table) write() error {
	if err := os.WriteFile(tableFile, []byte(t.String()), 0o644); err != nil {
		return err
	}
	before, _, after, err := readPage()
	if err != nil {
		return err
	}
	return os.WriteFile(pageFile, []byte(before+pageBegin+t.String()+pageEnd+after), 0o644)
}

// readPage is what stands before the table, the table and what stands behind it.
func readPage() (before, table, after string, err error) {
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return "", "", "", err
	}
	before, rest, ok := strings.Cut(string(page), pageBegin)
	table, after, closed := strings.Cut(rest, pageEnd)
	if !ok || !closed {
		return "", "", "", fmt.Errorf("%s has no place for the table of budgets", pageFile)
	}
	return before, table, after, nil
}
