// LOLWUT: a redbud, the tree with flowers on its bare wood, that never grows the same way twice.
package command

import (
	"math"
	"math/rand/v2"
	"strings"
)

var lolwutCommands = []*Command{
	{Name: "lolwut", Arity: -1, Flags: ReadOnly | Fast, Group: "server", ACL: "read", Since: "5.0.0",
		Usage: "[VERSION version]", Doc: "Draws something, and tells the version.", Run: lolwut},
}

func lolwut(c *Ctx) error {
	if len(c.Args) > 2 && c.is(1, "version") {
		if _, err := c.integer(2); err != nil {
			return err
		}
	}
	now := uint64(c.Engine.now().UnixNano())
	t := &tree{Rand: rand.New(rand.NewPCG(now, now>>32))}
	t.grow(treeWidth/2, treeHeight-1, math.Pi/2, 5, 5)
	c.W.Verbatim("txt", t.String()+"\nRedis ver. "+RedisVersion+"\n")
	return nil
}

// The size of a tree, in characters. One is about twice as high as it is wide.
const (
	treeWidth  = 66
	treeHeight = 18
)

// tree is a drawing that grows.
type tree struct {
	*rand.Rand
	cells [treeHeight][treeWidth]byte
}

// grow draws a branch from a place upwards in a direction, with flowers along it, and branches at its end.
func (t *tree) grow(x, y, angle, length float64, forks int) {
	for range int(length) {
		t.put(x, y, wood(angle))
		if forks < 4 && t.Float64() < 0.35 {
			t.put(x+t.Float64()*4-2, y+t.Float64()*2-1, "*o."[t.IntN(3)])
		}
		x, y = x+2*math.Cos(angle), y-math.Sin(angle)
	}
	if forks == 0 {
		t.put(x, y, '*')
		return
	}
	for _, turn := range []float64{-0.25, 0.25} {
		t.grow(x, y, angle+turn*(1+t.Float64()), length*(0.6+0.3*t.Float64()), forks-1)
	}
}

// wood is what a branch in a direction looks like.
func wood(angle float64) byte {
	switch slope := math.Mod(angle+math.Pi, math.Pi); {
	case slope < math.Pi/6 || slope > 5*math.Pi/6:
		return '_'
	case slope < 5*math.Pi/12:
		return '/'
	case slope > 7*math.Pi/12:
		return '\\'
	}
	return '|'
}

// put draws a character where there is none yet.
func (t *tree) put(x, y float64, what byte) {
	column, row := int(math.Round(x)), int(math.Round(y))
	if 0 <= column && column < treeWidth && 0 <= row && row < treeHeight && t.cells[row][column] == 0 {
		t.cells[row][column] = what
	}
}

func (t *tree) String() string {
	var b strings.Builder
	for _, row := range t.cells {
		line := strings.ReplaceAll(string(row[:]), "\x00", " ")
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
