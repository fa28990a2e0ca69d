// Random calls on places, and those that sort.
package enginetest

import (
	"fmt"
)

// geoArgument draws a value for an argument of a command on places; ok is false if it has none of its own.
func (d *drawer) geoArgument(name string) (word string, ok bool) {
	switch name {
	case "longitude":
		return d.one(d.degrees(179), d.degrees(179), d.between(-3, 3), d.between(12, 14), "180", "-180", "181"), true
	case "latitude":
		return d.one(d.degrees(85), d.degrees(85), d.between(-3, 3), d.between(37, 39), "85.05112878", "-85.05112878", "86"), true
	case "radius", "width", "height":
		return d.one("0", d.between(1, 9), d.between(1, 9)+"0.5", d.between(1, 9)+"00", d.between(1, 9)+"000", d.between(1, 9)+"000000"), true
	case "member1", "member2":
		return d.argument("member"), true
	}
	return "", false
}

// degrees draws a number of degrees up to so many either way.
func (d *drawer) degrees(most int) string {
	return fmt.Sprintf("%s.%06d", d.between(-most, most-1), d.IntN(1000000))
}

// sortedKey draws the name of a key for SORT.
func (d *drawer) sortedKey() string {
	return d.one("l", "l", "l", "e", "e", "z", "g", "y", "s") + d.between(1, 3)
}
