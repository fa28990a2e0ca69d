package command

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exactSine is the sine by its series, with far more digits than a float has.
func exactSine(x float64) *big.Float {
	precise := func(f float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(f) }
	square := precise(x)
	square.Mul(square, square)
	sum, term := precise(0), precise(x)
	for i := 1; i < 200; i += 2 {
		sum.Add(sum, term)
		term.Mul(term, square)
		term.Quo(term, precise(-float64((i+1)*(i+2))))
	}
	return sum
}

func TestSineIsRoundedRight(t *testing.T) {
	wrong, drawn := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-math.Pi, math.Pi).Draw(t, "x")
		drawn++
		exact := exactSine(x)
		want, _ := exact.Float64()
		got := sine(x)
		if got.high != want {
			wrong++
		}
		if math.Abs(got.high-want) > math.Abs(math.Nextafter(want, 2)-want) {
			t.Fatalf("sin(%v) is %v, want %v", x, got.high, want)
		}
		if s, c := got.high, cosine(x); math.Abs(s*s+c*c-1) > 1e-15 {
			t.Fatalf("sin(%v) %v and cos %v do not fit", x, s, c)
		}
		if y := math.Abs(got.high); y <= 1 {
			back, _ := exactSine(arcsine(y)).Float64()
			if math.Abs(back-y) > 2.3e-16 {
				t.Fatalf("sin(asin(%v)) is %v", y, back)
			}
		}
	})
	if wrong*50 > drawn {
		t.Errorf("%d of %d sines are not the nearest float", wrong, drawn)
	}
}

// places draws places but for the eastern and northern ends of the map: their scores have more digits than a float, so that
// the last one is rounded.
func places() *rapid.Generator[place] {
	return rapid.Custom(func(t *rapid.T) place {
		return place{rapid.Float64Range(-180, 179.9999).Draw(t, "longitude"), rapid.Float64Range(latitudes.min, 85.05).Draw(t, "latitude")}
	})
}

func TestScoreNamesACellThatThePlaceIsIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := places().Draw(t, "place")
		score := scoreOf(p)
		if score != math.Trunc(score) || score < 0 || score >= 1<<52 {
			t.Fatalf("score %v", score)
		}
		back := placeOf(score)
		if math.Abs(back.lon-p.lon) > 360.0/(1<<26) || math.Abs(back.lat-p.lat) > 180.0/(1<<26) {
			t.Fatalf("%v comes back as %v", p, back)
		}
		if again := placeOf(scoreOf(back)); again != back {
			t.Fatalf("the middle %v of a cell comes back as %v", back, again)
		}
		if hash := appendGeohash(nil, p); len(hash) != geohashSize {
			t.Fatalf("geohash %q", hash)
		}
	})
}

func TestEveryScoreIsAPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := placeOf(rapid.Float64().Draw(t, "score"))
		if !longitudes.has(p.lon) || !latitudes.has(p.lat) {
			t.Fatalf("place %v", p)
		}
	})
	for _, score := range []float64{math.Inf(1), math.Inf(-1), -1, 1 << 63, 1 << 64} {
		if p := placeOf(score); !longitudes.has(p.lon) || !latitudes.has(p.lat) {
			t.Errorf("%v is the place %v", score, p)
		}
	}
}

func TestCellsOfARegionHoldWhatIsInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := region{center: places().Draw(t, "center"), unit: 1, radius: rapid.Float64Range(0, 5e6).Draw(t, "radius")}
		if math.Abs(r.center.lat) > 70 || math.Abs(r.center.lat)+r.radius/110000 > 85 || math.Abs(r.center.lon) > 100 {
			t.Skip("near the edges of the map, and where a circle has a pole in it, Redis misses some, and so do we")
		}
		for range 20 {
			p := placeOf(scoreOf(place{
				r.center.lon + rapid.Float64Range(-1, 1).Draw(t, "east")*r.radius/40000,
				max(min(r.center.lat+rapid.Float64Range(-1, 1).Draw(t, "north")*r.radius/110000, 80), -80),
			}))
			if _, ok := r.distance(p); !ok {
				continue
			}
			found := false
			score := scoreOf(p)
			for _, c := range r.cells(nil) {
				low, high := c.scores()
				found = found || low <= score && score < high
			}
			if !found {
				t.Fatalf("%v is in no cell of %+v", p, r)
			}
		}
	})
}

func TestDistanceIsThatOfASphere(t *testing.T) {
	for _, c := range []struct {
		a, b place
		want float64
	}{
		{place{0, 0}, place{0, 0}, 0},
		{place{0, 0}, place{180, 0}, math.Pi * earthRadius},
		{place{0, -85}, place{0, 85}, math.Pi * earthRadius * 170 / 180},
		{place{-90, 0}, place{90, 0}, math.Pi * earthRadius},
		{place{10, 0}, place{11, 0}, math.Pi * earthRadius / 180},
	} {
		if d := distance(c.a, c.b); math.Abs(d-c.want) > 1e-8 {
			t.Errorf("%v to %v is %v, want %v", c.a, c.b, d, c.want)
		}
	}
}
