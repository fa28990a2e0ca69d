// Many runs of a statement as one, for databases where each statement is a round trip.

package sqlstore

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What statements look like of which many can be one.
var (
	bulkRead   = regexp.MustCompile(`^SELECT `)
	bulkInsert = regexp.MustCompile(`^(INSERT .* VALUES )(\([^()]*\))$`)
	bulkDelete = regexp.MustCompile(`^(DELETE FROM [a-z_]+ WHERE )([^()]*)$`)
	bulkUpdate = regexp.MustCompile(`^(UPDATE [a-z_]+ SET )([a-z_]+ = \?(?:, [a-z_]+ = \?)*)( WHERE id) = \?$`)
	bulkLimits = regexp.MustCompile(` (LIMIT|ORDER BY) `)
	assignment = regexp.MustCompile(`([a-z_]+) = \?`)
)

// Bulk is a statement that does what n runs of one do, and its parameters, whose arguments are those of all runs, one after the other;
// empty: there is none. The rows of one that reads have the number of the run before their columns. Of one that updates rows by their
// id, the runs must be about different rows.
func (d *Dialect) Bulk(q *Query, n int) (text string, params []Param) {
	one, of := d.Text(q), d.Params(q)
	switch {
	case q.Params == 0 || n < 2:
		return "", nil
	case bulkRead.MatchString(one):
		var arms []string
		for i := range n {
			arms = append(arms, "(SELECT "+strconv.Itoa(i)+" AS run, "+strings.TrimPrefix(one, "SELECT ")+")")
		}
		text = strings.Join(arms, " UNION ALL ")
	case bulkInsert.MatchString(one):
		values := bulkInsert.FindStringSubmatch(one)[2]
		text = one + strings.Repeat(", "+values, n-1)
	case bulkDelete.MatchString(one) && !bulkLimits.MatchString(one):
		part := bulkDelete.FindStringSubmatch(one)
		text = part[1] + strings.Join(slices.Repeat([]string{"(" + part[2] + ")"}, n), " OR ")
	case bulkUpdate.MatchString(one):
		return bulkCases(bulkUpdate.FindStringSubmatch(one), of, q.Params, n)
	default:
		return "", nil
	}
	for i := range n {
		for _, p := range of {
			params = append(params, Param{Arg: i*q.Params + p.Arg, Short: p.Short})
		}
	}
	return text, params
}

// bulkCases makes of UPDATE … SET a = ? WHERE id = ? an UPDATE … SET a = CASE id WHEN ? THEN ? … END WHERE id IN (…).
func bulkCases(part []string, of []Param, step, n int) (text string, params []Param) {
	id := of[len(of)-1]
	var sets []string
	for column, set := range assignment.FindAllStringSubmatch(part[2], -1) {
		sets = append(sets, set[1]+" = CASE id"+strings.Repeat(" WHEN ? THEN ?", n)+" END")
		for i := range n {
			params = append(params, Param{Arg: i*step + id.Arg}, Param{Arg: i*step + of[column].Arg, Short: of[column].Short})
		}
	}
	for i := range n {
		params = append(params, Param{Arg: i*step + id.Arg})
	}
	return part[1] + strings.Join(sets, ", ") + part[3] + " IN (" + strings.TrimPrefix(strings.Repeat(", ?", n), ", ") + ")", params
}
