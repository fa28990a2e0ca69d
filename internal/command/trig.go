// Sine, cosine and arcsine as C libraries compute them: rounded right but for very rare cases. Those of package math are
// off in the last digit more often, which shows where a distance becomes a score.
package command

import "math"

// twice is a number as the unevaluated sum of two floats, of which low is at most half a unit in the last place of high.
type twice struct{ high, low float64 }

// twoSum is a+b without an error.
func twoSum(a, b float64) twice {
	s := a + b
	t := s - a
	return twice{s, (a - (s - t)) + (b - t)}
}

// times is x*y, with an error in the 100th bit or so.
func (x twice) times(y twice) twice {
	p := x.high * y.high
	e := math.FMA(x.high, y.high, -p)
	e = math.FMA(x.high, y.low, e)
	e = math.FMA(x.low, y.high, e)
	return twoSum(p, e)
}

// plus is x+y, where x is the larger.
func (x twice) plus(y twice) twice {
	s := twoSum(x.high, y.high)
	return twoSum(s.high, s.low+(x.low+y.low))
}

// halfPi is π/2 in three parts.
const (
	halfPi1 = 0x1.921fb54442d18p+0
	halfPi2 = 0x1.1a62633145c07p-54
	halfPi3 = -0x1.f1976b7ed8fbcp-110
)

// quarter subtracts the nearest multiple of π/2 from x, which is at most π either way.
func quarter(x float64) (r twice, k int) {
	n := math.Round(x / halfPi1) // at most 2 either way, so that the products are exact
	r = twoSum(x, -n*halfPi1)
	r = r.plus(twice{-n * halfPi2, -n * halfPi3})
	return r, int(n) & 3
}

// sinTaylor is the sine for |x| up to π/4 and a bit.
func sinTaylor(x twice) twice {
	s := x.times(x)
	z := s.high
	// From x⁷ on the terms are so small that plain floats do.
	q := -1.0/5040 + z*(1.0/362880+z*(-1.0/39916800+z*(1.0/6227020800+z*(-1.0/1307674368000+z*(1.0/355687428096000)))))
	p := twice{0x1.1111111111111p-7, 0x1.1111111111111p-63}.plus(s.times(twice{high: q}))
	p = twice{-0x1.5555555555555p-3, -0x1.5555555555555p-57}.plus(s.times(p))
	return x.plus(x.times(s.times(p)))
}

// cosTaylor is the cosine for |x| up to π/4 and a bit.
func cosTaylor(x twice) twice {
	s := x.times(x)
	z := s.high
	q := -1.0/720 + z*(1.0/40320+z*(-1.0/3628800+z*(1.0/479001600+z*(-1.0/87178291200+z*(1.0/20922789888000)))))
	p := twice{0x1.5555555555555p-5, 0x1.5555555555555p-59}.plus(s.times(twice{high: q}))
	p = twice{high: -0.5}.plus(s.times(p))
	return twice{high: 1}.plus(s.times(p))
}

// arc is the sine and cosine of an angle.
type arc struct{ sin, cos twice }

// arcs are those of the multiples of 1/128 up to π/4 and a bit.
var arcs = func() (all [102]arc) {
	for i := range all {
		x := twice{high: float64(i) / 128}
		all[i] = arc{sinTaylor(x), cosTaylor(x)}
	}
	return all
}()

// near is the sine or the cosine of x, where |x| is up to π/4 and a bit: from those of the nearest angle in arcs, by the
// formulas for sums of angles.
func near(x twice, cos bool) twice {
	negative := x.high < 0
	if negative {
		x = twice{-x.high, -x.low}
	}
	i := int(x.high*128 + 0.5)
	a := &arcs[i]
	r := x.high - float64(i)/128 // at most 1/256, and exact
	z := r * r
	versed := z * (0.5 - z*(1.0/24-z/720)) // 1 - cos(r)
	rest := r * z * (1.0/6 - z/120)        // r - sin(r)
	if cos {
		return sum(a.cos, twice{-a.sin.high, -a.sin.low}, r, x.low, a.sin.high*rest-a.cos.high*versed)
	}
	v := sum(a.sin, a.cos, r, x.low, -a.sin.high*versed-a.cos.high*rest)
	if negative {
		return twice{-v.high, -v.low}
	}
	return v
}

// sum is a + b*(r+low) + small.
func sum(a, b twice, r, low, small float64) twice {
	p := b.high * r
	e := math.FMA(b.high, r, -p) + b.low*r + b.high*low
	s := twoSum(a.high, p)
	return twoSum(s.high, s.low+(a.low+e+small))
}

// sine is sin(x) for |x| up to π, as the sum of two floats.
func sine(x float64) twice { return turned(quarter(x)) }

// cosine is cos(x) for |x| up to π.
func cosine(x float64) float64 {
	r, k := quarter(x)
	return turned(r, (k+1)&3).high
}

// turned is the sine of r+k*π/2.
func turned(r twice, k int) twice {
	v := near(r, k&1 != 0)
	if k&2 != 0 {
		v.high, v.low = -v.high, -v.low
	}
	return v
}

// arcsine is asin(y) for y from 0 to 1; NaN above.
func arcsine(y float64) float64 {
	if y <= 0.75 || y > 1 {
		a := math.Asin(y)
		return a + arcsineError(a, twice{high: y})
	}
	// asin(y) = π/2 - 2*asin(sqrt((1-y)/2)), where what is under the root is exact.
	z := (1 - y) / 2
	if z == 0 {
		return halfPi1
	}
	root := math.Sqrt(z)
	rest := math.FMA(-root, root, z) / (2 * root)
	a := math.Asin(root)
	sum := twoSum(halfPi1, -2*a)
	return sum.high + (sum.low + halfPi2 - 2*arcsineError(a, twice{root, rest}))
}

// arcsineError is what a is short of asin(y), by a step of Newton's method.
func arcsineError(a float64, y twice) float64 {
	s := sine(a)
	return ((y.high - s.high) - s.low + y.low) / math.Cos(a)
}
