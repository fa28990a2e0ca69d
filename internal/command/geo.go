// Places on earth: sorted sets whose scores are geohashes.
package command

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// radiusOptions are the options of GEORADIUS, and of GEORADIUSBYMEMBER, that are followed by a key.
func radiusOptions(from int) *keyOptions {
	return &keyOptions{from: from, words: []string{"store", "storedist"}}
}

// The arguments that the searches have in common.
const (
	geoWith  = "[WITHCOORD] [WITHDIST] [WITHHASH] "
	geoUnit  = "<M | KM | FT | MI> "
	geoCount = "[COUNT count [ANY]] "
	geoStore = " [STORE key | STOREDIST key]"
	geoBy    = "<FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | " +
		"BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]]"
)

var geoCommands = []*Command{
	{Name: "geoadd", Arity: -5, Flags: Write | DenyOOM, Keys: oneKey, Group: "geo", Since: "3.2.0",
		Usage: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
		Doc:   "Adds members with their places, or moves members that are there.", Run: geoAdd},
	{Name: "geodist", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "3.2.0",
		Usage: "key member1 member2 [M | KM | FT | MI]", Doc: "Tells how far two members are apart.", Run: geoDist},
	{Name: "geohash", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "3.2.0",
		Usage: "key [member [member ...]]", Doc: "Returns the places of members as geohashes.", Run: geoHash},
	{Name: "geopos", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "3.2.0",
		Usage: "key [member [member ...]]", Doc: "Returns the longitudes and latitudes of members.", Run: geoPos},
	{Name: "georadius", Arity: -6, Flags: Write | DenyOOM, Keys: Keys{First: 1, Last: 1, Step: 1, options: radiusOptions(6)}, Group: "geo", Since: "3.2.0",
		Usage: "key longitude latitude radius " + geoUnit + geoWith + geoCount + "[ASC | DESC]" + geoStore,
		Doc:   "Finds, and may store, the members within a distance from a place.",
		Run:   func(c *Ctx) error { return c.geoSearch(geoSearch{src: 1, from: fromPlace, first: 6, storable: true}) }},
	{Name: "georadius_ro", Arity: -6, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "3.2.10",
		Usage: "key longitude latitude radius " + geoUnit + geoWith + geoCount + "[ASC | DESC]",
		Doc:   "Finds the members within a distance from a place.",
		Run:   func(c *Ctx) error { return c.geoSearch(geoSearch{src: 1, from: fromPlace, first: 6}) }},
	{Name: "georadiusbymember", Arity: -5, Flags: Write | DenyOOM, Keys: Keys{First: 1, Last: 1, Step: 1, options: radiusOptions(5)}, Group: "geo", Since: "3.2.0",
		Usage: "key member radius " + geoUnit + geoWith + geoCount + "[ASC | DESC]" + geoStore,
		Doc:   "Finds, and may store, the members within a distance from a member.",
		Run:   func(c *Ctx) error { return c.geoSearch(geoSearch{src: 1, from: fromMember, first: 5, storable: true}) }},
	{Name: "georadiusbymember_ro", Arity: -5, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "3.2.10",
		Usage: "key member radius " + geoUnit + geoWith + geoCount + "[ASC | DESC]",
		Doc:   "Finds the members within a distance from a member.",
		Run:   func(c *Ctx) error { return c.geoSearch(geoSearch{src: 1, from: fromMember, first: 5}) }},
	{Name: "geosearch", Arity: -7, Flags: ReadOnly, Keys: oneKey, Group: "geo", Since: "6.2.0",
		Usage: "key " + geoBy + " [WITHCOORD] [WITHDIST] [WITHHASH]", Doc: "Finds the members in a circle or a box.",
		Run: func(c *Ctx) error { return c.geoSearch(geoSearch{src: 1, first: 2}) }},
	{Name: "geosearchstore", Arity: -8, Flags: Write | DenyOOM, Keys: twoKeys, Group: "geo", Since: "6.2.0",
		Usage: "destination source " + geoBy + " [STOREDIST]", Doc: "Stores the members in a circle or a box.",
		Run: func(c *Ctx) error { return c.geoSearch(geoSearch{src: 2, first: 3, dst: c.Args[1]}) }},
}

// place reads the arguments from i on as a longitude and a latitude.
func (c *Ctx) place(i int) (p place, err error) {
	if p.lon, err = c.float(i); err != nil {
		return p, err
	}
	if p.lat, err = c.float(i + 1); err != nil {
		return p, err
	}
	if !longitudes.has(p.lon) || !latitudes.has(p.lat) {
		return p, Refusal("ERR invalid longitude,latitude pair " + sixDigits(p.lon) + "," + sixDigits(p.lat))
	}
	return p, nil
}

// sixDigits is a float as C prints it by default.
func sixDigits(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'f', 6, 64)
}

// unit reads argument i as a unit of length and returns it in meters.
func (c *Ctx) unit(i int) (float64, error) {
	switch {
	case c.is(i, "m"):
		return 1, nil
	case c.is(i, "km"):
		return 1000, nil
	case c.is(i, "ft"):
		return 0.3048, nil
	case c.is(i, "mi"):
		return 1609.34, nil
	}
	return 0, Refusal("ERR unsupported unit provided. please use M, KM, FT, MI")
}

func geoAdd(c *Ctx) error {
	var o addOptions
	i := 2
words:
	for ; i < len(c.Args); i++ {
		switch {
		case c.is(i, "nx"):
			o.nx = true
		case c.is(i, "xx"):
			o.xx = true
		case c.is(i, "ch"):
			o.ch = true
		default:
			break words
		}
	}
	if n := len(c.Args) - i; n == 0 || n%3 != 0 || o.nx && o.xx {
		return ErrSyntax
	}
	z := &c.zset
	z.pairs = z.pairs[:0]
	for ; i < len(c.Args); i += 3 {
		p, err := c.place(i)
		if err != nil {
			return err
		}
		z.pairs = append(z.pairs, keyspace.Scored{Member: c.Args[i+2], Score: scoreOf(p)})
	}
	return c.addPairs(c.Args[1], o)
}

func geoPos(c *Ctx) error {
	if err := c.scores(); err != nil {
		return err
	}
	c.W.Array(len(c.floats))
	for _, score := range c.floats {
		if math.IsNaN(score) {
			c.W.NullArray()
			continue
		}
		c.tellPlace(placeOf(score))
	}
	return nil
}

// tellPlace replies with a longitude and a latitude.
func (c *Ctx) tellPlace(p place) {
	c.W.Array(2)
	for _, f := range [...]float64{p.lon, p.lat} {
		if !c.W.RESP3() {
			c.num = appendPlain(c.num[:0], f)
			c.W.Bulk(c.num)
			continue
		}
		c.num = append(appendPlain(append(c.num[:0], ','), f), '\r', '\n')
		c.W.Raw(c.num)
	}
}

// appendPlain appends a finite float with up to 17 digits behind the point and no zeros at the end.
func appendPlain(dst []byte, f float64) []byte {
	dst = strconv.AppendFloat(dst, f+0, 'f', 17, 64)
	return bytes.TrimSuffix(bytes.TrimRight(dst, "0"), []byte("."))
}

func geoHash(c *Ctx) error {
	if err := c.scores(); err != nil {
		return err
	}
	c.W.Array(len(c.floats))
	for _, score := range c.floats {
		if math.IsNaN(score) {
			c.W.Null()
			continue
		}
		c.num = appendGeohash(c.num[:0], placeOf(score))
		c.W.Bulk(c.num)
	}
	return nil
}

func geoDist(c *Ctx) error {
	unit := 1.0
	switch {
	case len(c.Args) > 5:
		return ErrSyntax
	case len(c.Args) == 5:
		var err error
		if unit, err = c.unit(4); err != nil {
			return err
		}
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	if c.floats, err = set.Scores(c.Args[2:4], c.floats[:0]); err != nil {
		return err
	}
	a, b := c.floats[0], c.floats[1]
	if math.IsNaN(a) || math.IsNaN(b) {
		c.W.Null()
		return nil
	}
	c.tellDistance(distance(placeOf(a), placeOf(b)) / unit)
	return nil
}

// tellDistance replies with a distance, of which Redis tells four digits behind the point.
func (c *Ctx) tellDistance(d float64) {
	const scale = 10000
	n := int64(math.RoundToEven(d * scale))
	c.num = append(strconv.AppendInt(c.num[:0], n/scale, 10), '.')
	for unit := int64(scale / 10); unit > 0; unit /= 10 {
		c.num = append(c.num, byte('0'+n/unit%10))
	}
	c.W.Bulk(c.num)
}

// geoFrom says what the words before the options of a search are about.
type geoFrom uint8

const (
	fromOptions geoFrom = iota // nothing: the options tell
	fromPlace                  // a place and a radius
	fromMember                 // a member and a radius
)

// geoSearch is a call that searches: GEORADIUS, GEOSEARCH and their kin.
type geoSearch struct {
	src      int // word of the key to search
	first    int // word of the first option
	from     geoFrom
	storable bool // it has the options STORE and STOREDIST
	set      keyspace.SortedSetKey
	missing  bool // there is no such key

	region
	centered, shaped, boxed          bool // GEOSEARCH: what the options told; centered by a place is placed, too
	placed                           bool
	withCoord, withDist, withHash    bool
	ascending, descending, any, dist bool
	count                            int
	dst                              []byte // key to store at; nil: reply

	found []geoFound
	own   copies
}

// geoFound is a member in the region.
type geoFound struct {
	member   []byte
	score    float64
	distance float64 // in meters
}

// geoSearch runs a call.
func (c *Ctx) geoSearch(s geoSearch) error {
	var err error
	if s.set, err = c.Tx.SortedSet(c.Args[s.src]); err != nil {
		return err
	}
	n, err := s.set.Len()
	if err != nil {
		return err
	}
	s.missing = n == 0
	if err := c.geoRegion(&s); err != nil {
		return err
	}
	if err := c.geoOptions(&s); err != nil {
		return err
	}
	if err := s.check(c); err != nil {
		return err
	}
	if !s.missing {
		if err := c.geoFind(&s); err != nil {
			return err
		}
	}
	s.sort()
	if s.dst != nil {
		return c.geoStore(&s)
	}
	c.geoTell(&s)
	return nil
}

// geoRegion reads what stands before the options. Of a member, in a key that is missing, nothing is read.
func (c *Ctx) geoRegion(s *geoSearch) (err error) {
	switch {
	case s.from == fromOptions, s.from == fromMember && s.missing:
		return nil
	case s.from == fromPlace:
		s.center, err = c.place(2)
	default:
		s.center, err = c.placeOfMember(s.set, 2)
	}
	if err != nil {
		return err
	}
	return c.radius(&s.region, s.first-2)
}

// placeOfMember is where the member that argument i names is.
func (c *Ctx) placeOfMember(set keyspace.SortedSetKey, i int) (place, error) {
	var err error
	if c.floats, err = set.Scores(c.Args[i:i+1], c.floats[:0]); err != nil {
		return place{}, err
	}
	if math.IsNaN(c.floats[0]) {
		return place{}, Refusal("ERR could not decode requested zset member")
	}
	return placeOf(c.floats[0]), nil
}

// radius reads a radius and its unit from argument i on.
func (c *Ctx) radius(r *region, i int) (err error) {
	if r.radius, err = c.length(i, "radius"); err != nil {
		return err
	}
	if r.radius < 0 {
		return Refusal("ERR radius cannot be negative")
	}
	r.unit, err = c.unit(i + 1)
	return err
}

// size reads width, height and their unit from argument i on.
func (c *Ctx) size(r *region, i int) (err error) {
	if r.width, err = c.length(i, "width"); err != nil {
		return err
	}
	if r.height, err = c.length(i+1, "height"); err != nil {
		return err
	}
	if r.width < 0 || r.height < 0 {
		return Refusal("ERR height or width cannot be negative")
	}
	r.unit, err = c.unit(i + 2)
	return err
}

// length reads argument i as a number, which its refusal calls what.
func (c *Ctx) length(i int, what string) (float64, error) {
	f, ok := parseFloat(c.Args[i])
	if !ok {
		return 0, Refusal("ERR need numeric " + what)
	}
	return f, nil
}

// geoOptions reads the options.
func (c *Ctx) geoOptions(s *geoSearch) error {
	for i := s.first; i < len(c.Args); i++ {
		used, err := c.geoOption(s, i)
		if err == nil && used == 0 {
			used, err = c.geoWhere(s, i)
		}
		if err != nil {
			return err
		}
		if used == 0 {
			return ErrSyntax
		}
		i += used - 1
	}
	return nil
}

// geoOption reads an option that all searches have, or STORE, and returns how many words it takes; 0: it is none.
func (c *Ctx) geoOption(s *geoSearch, i int) (used int, err error) {
	more := i+1 < len(c.Args)
	switch {
	case c.is(i, "withdist"):
		s.withDist = true
	case c.is(i, "withhash"):
		s.withHash = true
	case c.is(i, "withcoord"):
		s.withCoord = true
	case c.is(i, "any"):
		s.any = true
	case c.is(i, "asc"):
		s.ascending, s.descending = true, false
	case c.is(i, "desc"):
		s.ascending, s.descending = false, true
	case c.is(i, "storedist") && c.Row.Name == "geosearchstore":
		s.dist = true
	case more && c.is(i, "count"):
		n, err := c.integer(i + 1)
		if err != nil {
			return 0, err
		}
		if n <= 0 {
			return 0, Refusal("ERR COUNT must be > 0")
		}
		s.count = int(n)
		return 2, nil
	case more && s.storable && (c.is(i, "store") || c.is(i, "storedist")):
		s.dst, s.dist = c.Args[i+1], c.is(i, "storedist")
		return 2, nil
	default:
		return 0, nil
	}
	return 1, nil
}

// geoWhere reads an option of GEOSEARCH that tells the region, like geoOption.
func (c *Ctx) geoWhere(s *geoSearch, i int) (used int, err error) {
	left := len(c.Args) - 1 - i
	switch {
	case s.from != fromOptions:
		return 0, nil
	case left >= 1 && c.is(i, "frommember") && !s.placed:
		if !s.missing {
			s.center, err = c.placeOfMember(s.set, i+1)
		}
		s.centered = true
		return 2, err
	case left >= 2 && c.is(i, "fromlonlat") && (s.placed || !s.centered):
		s.center, err = c.place(i + 1)
		s.centered, s.placed = true, true
		return 3, err
	case left >= 2 && c.is(i, "byradius") && !s.boxed:
		s.shaped, s.box = true, false
		return 3, c.radius(&s.region, i+1)
	case left >= 3 && c.is(i, "bybox") && (s.boxed || !s.shaped):
		s.shaped, s.boxed, s.box = true, true, true
		return 4, c.size(&s.region, i+1)
	}
	return 0, nil
}

// check refuses options that do not go together.
func (s *geoSearch) check(c *Ctx) error {
	switch {
	case s.dst != nil && (s.withDist || s.withHash || s.withCoord):
		what := "STORE option in GEORADIUS"
		if s.from == fromOptions {
			what = "GEOSEARCHSTORE"
		}
		return Refusal("ERR " + what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	case s.from == fromOptions && !s.centered:
		return Refusal(fmt.Sprintf("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s", clip(c.Args[0])))
	case s.from == fromOptions && !s.shaped:
		return Refusal(fmt.Sprintf("ERR exactly one of BYRADIUS and BYBOX can be specified for %s", clip(c.Args[0])))
	case s.any && s.count == 0:
		return Refusal("ERR the ANY argument requires COUNT argument")
	}
	return nil
}

// geoFind gathers the members in the region, cell by cell. With ANY it stops when there are enough.
func (c *Ctx) geoFind(s *geoSearch) error {
	s.found = make([]geoFound, 0, 16)
	span := &c.zset.span
	*span = keyspace.Range{By: keyspace.ByScore, MaxOpen: true, Count: -1}
	enough := func() bool { return s.any && len(s.found) >= s.count }
	visit := func(member []byte, score float64) bool {
		if d, ok := s.distance(placeOf(score)); ok {
			s.found = append(s.found, geoFound{s.own.of(member), score, d})
		}
		return !enough()
	}
	var scratch [9]cell
	var before cell
	for i, cell := range s.cells(scratch[:0]) {
		if i > 0 && cell == before { // in a huge region, east and west of a cell is the same one
			continue
		}
		if enough() {
			break
		}
		before = cell
		span.Min, span.Max = cell.scores()
		if err := s.set.Range(span, visit); err != nil {
			return err
		}
	}
	return nil
}

// sort brings what was found in order, and cuts it to COUNT: without ANY that means the nearest.
func (s *geoSearch) sort() {
	n := len(s.found)
	if s.count > 0 {
		n = min(s.count, n)
		s.ascending = s.ascending || !s.descending && !s.any
	}
	compare := func(a, b geoFound) int { return cmp.Compare(a.distance, b.distance) }
	if s.descending {
		compare = func(a, b geoFound) int { return cmp.Compare(b.distance, a.distance) }
	}
	if s.ascending || s.descending {
		sortPart(s.found, 0, n, compare)
	}
	s.found = s.found[:n]
}

// geoTell replies with what was found.
func (c *Ctx) geoTell(s *geoSearch) {
	size := 1
	for _, with := range [...]bool{s.withDist, s.withHash, s.withCoord} {
		if with {
			size++
		}
	}
	c.W.Array(len(s.found))
	for i := range s.found {
		f := &s.found[i]
		if size > 1 {
			c.W.Array(size)
		}
		c.W.Bulk(f.member)
		if s.withDist {
			c.tellDistance(f.distance / s.unit)
		}
		if s.withHash {
			c.W.Int(int64(f.score))
		}
		if s.withCoord {
			c.tellPlace(placeOf(f.score))
		}
	}
}

// geoStore stores what was found, with the distances as scores where that is asked for.
func (c *Ctx) geoStore(s *geoSearch) error {
	pairs := make([]keyspace.Scored, len(s.found))
	for i := range s.found {
		f := &s.found[i]
		pairs[i] = keyspace.Scored{Member: f.member, Score: f.score}
		if s.dist {
			pairs[i].Score = f.distance / s.unit
		}
	}
	event := "georadiusstore"
	if s.from == fromOptions {
		event = "geosearchstore"
	}
	return c.storeScored(s.dst, pairs, event)
}
