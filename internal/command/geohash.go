// Places on earth as numbers: a geohash halves longitude and latitude in turn and so names ever smaller cells, such that
// near places mostly have near numbers (https://en.wikipedia.org/wiki/Geohash). Redis keeps 26 halvings of each as the score
// of a sorted set.
package command

import "math"

// place is a point on earth in degrees.
type place struct{ lon, lat float64 }

// degrees is a range of one of the two.
type degrees struct{ min, max float64 }

// The ranges that are halved. Scores leave out the poles, as web maps do; the text form of GEOHASH is everybody's.
var (
	longitudes    = degrees{-180, 180}
	latitudes     = degrees{-85.05112878, 85.05112878}
	allLatitudes  = degrees{-90, 90}
	geohashLetter = "0123456789bcdefghjkmnpqrstuvwxyz"
)

const (
	maxStep     = 26
	scoreBits   = 2 * maxStep
	geohashSize = 11 // letters of GEOHASH

	earthRadius = 6372797.560856       // in meters
	mercatorMax = 20037726.37          // half the circumference on a web map
	radian      = 0x1.1df46a2529d39p-6 // how many of them a degree is
)

func (d degrees) has(x float64) bool { return d.min <= x && x <= d.max }

// index is the number of the part that x is in, when d is cut into 1<<step equal ones; x at the very end has a part behind
// the last.
func (d degrees) index(x float64, step uint) uint32 {
	return uint32((x - d.min) / (d.max - d.min) * float64(uint64(1)<<step))
}

// part is the range of a part.
func (d degrees) part(i uint32, step uint) degrees {
	n, size := float64(uint64(1)<<step), d.max-d.min
	// The conversions keep a product and a sum from becoming one operation, which rounds otherwise.
	return degrees{
		d.min + float64(float64(i)/n*size),
		d.min + float64(float64(i+1)/n*size),
	}
}

func (d degrees) middle() float64 { return (d.min + d.max) / 2 }

// cell is one of the 1<<step by 1<<step parts of the map.
type cell struct {
	lon, lat uint32
	step     uint
}

// cellOf is the cell that a place is in.
func cellOf(p place, lats degrees, step uint) cell {
	return cell{longitudes.index(p.lon, step), lats.index(p.lat, step), step}
}

// bits are the halvings, the first one highest: longitude and latitude in turn.
func (c cell) bits() uint64 { return spread(c.lon)<<1 | spread(c.lat) }

// scores are the scores from min to below max that places in the cell have.
func (c cell) scores() (min, max float64) {
	b, shift := c.bits(), scoreBits-2*c.step
	return float64(b << shift), float64((b + 1) << shift)
}

// area is what the cell covers.
func (c cell) area() (lon, lat degrees) {
	return longitudes.part(c.lon, c.step), latitudes.part(c.lat, c.step)
}

// beside is the cell so many cells further east and north. The map goes on at its other side.
func (c cell) beside(east, north int) cell {
	last := uint32(1)<<c.step - 1
	if east != 0 {
		c.lon = (c.lon + uint32(east)) & last
	}
	if north != 0 {
		c.lat = (c.lat + uint32(north)) & last
	}
	return c
}

// spread puts a zero before each bit.
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & 0x5555555555555555
}

// squeeze undoes spread, whatever the bits between are.
func squeeze(v uint64) uint32 {
	v &= 0x5555555555555555
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0f0f0f0f0f0f0f0f
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16)
}

// scoreOf is the score of a place.
func scoreOf(p place) float64 { return float64(cellOf(p, latitudes, maxStep).bits()) }

// placeOf is the middle of the cell that a score names. Scores that no place has give some place, the one that Redis gives
// on a PC.
func placeOf(score float64) place {
	var b uint64
	switch {
	case score >= 1<<64:
	case score >= 1<<63:
		b = uint64(score)
	case score >= -1<<63:
		b = uint64(int64(score))
	default:
		b = 1 << 63
	}
	lon, lat := cell{squeeze(b >> 1), squeeze(b), maxStep}.area()
	return place{
		min(max(lon.middle(), longitudes.min), longitudes.max),
		min(max(lat.middle(), latitudes.min), latitudes.max),
	}
}

// appendGeohash appends the text form. Its last letter would need more bits than a score has, and is always 0.
func appendGeohash(dst []byte, p place) []byte {
	b := cellOf(p, allLatitudes, maxStep).bits()
	for shift := scoreBits - 5; shift > 0; shift -= 5 {
		dst = append(dst, geohashLetter[b>>shift&0x1f])
	}
	return append(dst, '0')
}

// distance is how many meters two places are apart, on a sphere.
func distance(a, b place) float64 { return distanceFrom(a, cosine(float64(a.lat*radian)), b) }

// distanceFrom is distance, given the cosine of the latitude of a.
func distanceFrom(a place, cosA float64, b place) float64 {
	v := sine((float64(b.lon*radian) - float64(a.lon*radian)) / 2).high
	if v == 0 {
		return alongMeridian(a.lat, b.lat)
	}
	latA, latB := float64(a.lat*radian), float64(b.lat*radian)
	u := sine((latB - latA) / 2).high
	h := float64(u*u) + float64(cosA*cosine(latB)*v*v)
	return 2 * earthRadius * arcsine(math.Sqrt(h))
}

// alongMeridian is the distance of two latitudes.
func alongMeridian(a, b float64) float64 {
	return earthRadius * math.Abs(float64(b*radian)-float64(a*radian))
}

// region is what a search is for: a circle, or a box that stands north up.
type region struct {
	center        place
	box           bool
	radius        float64 // of a circle, in units
	width, height float64 // of a box, in units
	unit          float64 // in meters

	cos float64 // of the center's latitude; 0: not known yet
}

// distance is how far a place in the region is from the center; ok is false if it is outside.
func (r *region) distance(p place) (meters float64, ok bool) {
	if r.box {
		if alongMeridian(p.lat, r.center.lat) > r.height*r.unit/2 ||
			distance(p, place{r.center.lon, p.lat}) > r.width*r.unit/2 {
			return 0, false
		}
		return distanceFrom(r.center, r.cosine(), p), true
	}
	meters = distanceFrom(r.center, r.cosine(), p)
	return meters, meters <= r.radius*r.unit
}

func (r *region) cosine() float64 {
	if r.cos == 0 { // which no latitude of the map has
		r.cos = cosine(float64(r.center.lat * radian))
	}
	return r.cos
}

// bounds is a box of degrees around the region. The side that is nearer to a pole decides how wide it is.
func (r *region) bounds() (lon, lat degrees) {
	height, width := r.radius, r.radius
	if r.box {
		height, width = r.height/2, r.width/2
	}
	up := r.unit * height / earthRadius / radian
	edge := r.center.lat + up
	if r.center.lat < 0 {
		edge = r.center.lat - up
	}
	aside := r.unit * width / earthRadius / math.Cos(edge*radian) / radian
	return degrees{r.center.lon - aside, r.center.lon + aside}, degrees{r.center.lat - up, r.center.lat + up}
}

// step is how small cells can be so that three by three of them cover the region, nearly always.
func (r *region) step() uint {
	meters := r.radius
	if r.box {
		meters = math.Sqrt(r.width/2*(r.width/2) + r.height/2*(r.height/2))
	}
	meters *= r.unit
	if meters == 0 {
		return maxStep
	}
	step := -1
	for ; meters < mercatorMax; meters *= 2 {
		step++
	}
	// Towards the poles cells get narrow.
	switch lat := math.Abs(r.center.lat); {
	case lat > 80:
		step -= 2
	case lat > 66:
		step--
	}
	return uint(min(max(step, 1), maxStep))
}

// cells appends the cells that cover the region, in the order in which Redis searches them: the one that the center is in,
// then those around it that reach into the region.
func (r *region) cells(dst []cell) []cell {
	lon, lat := r.bounds()
	step := r.step()
	center := cellOf(r.center, latitudes, step)
	if step > 1 && !center.covers(lon, lat) {
		step--
		center = cellOf(r.center, latitudes, step)
	}
	dst = append(dst, center)
	cellLon, cellLat := center.area()
	for _, at := range [...]struct{ east, north int }{{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}} {
		useless := at.north < 0 && cellLat.min < lat.min || at.north > 0 && cellLat.max > lat.max ||
			at.east < 0 && cellLon.min < lon.min || at.east > 0 && cellLon.max > lon.max
		if step < 2 || !useless {
			dst = append(dst, center.beside(at.east, at.north))
		}
	}
	return dst
}

// covers reports whether the cell with those around it covers a box.
func (c cell) covers(lon, lat degrees) bool {
	_, north := c.beside(0, 1).area()
	_, south := c.beside(0, -1).area()
	east, _ := c.beside(1, 0).area()
	west, _ := c.beside(-1, 0).area()
	// So that a bound which is no number hides nothing.
	missed := north.max < lat.max || south.min > lat.min || east.max < lon.max || west.min > lon.min
	return !missed
}
