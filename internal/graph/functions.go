package graph

// Function is what OpFunc calls.
type Function struct {
	Params   []Type // what its arguments must be
	Optional int    // so many of the last may be missing
	Variadic bool   // the last may come again and again
	Result   Type
	typed    func(c *checker, n *Node) Type // finds the type and more mistakes where Params and Result don't tell; nil: they do
}

var (
	anything = Type{}
	boolean  = Of(Bool)
	integer  = Of(Int)
	float    = Of(Float)
	number   = Of(Number)
	list     = ListOf(Type{})
	mapping  = MapOf(Type{})
)

// Functions are those of the language, by name. Both back ends have all of them.
var Functions = map[string]Function{
	"not": {Params: []Type{anything}, Result: boolean},
	"and": {Params: []Type{anything, anything}, typed: (*checker).and}, // the second is evaluated if the first is true
	"or":  {Params: []Type{anything, anything}, typed: (*checker).or},  // or if it is false

	"eq": {Params: []Type{anything, anything}, Result: boolean},
	"ne": {Params: []Type{anything, anything}, Result: boolean},
	"lt": {Params: []Type{anything, anything}, typed: (*checker).order},
	"le": {Params: []Type{anything, anything}, typed: (*checker).order},
	"gt": {Params: []Type{anything, anything}, typed: (*checker).order},
	"ge": {Params: []Type{anything, anything}, typed: (*checker).order},

	"add":    {Params: []Type{number, number}, typed: (*checker).arithmetic},
	"sub":    {Params: []Type{number, number}, typed: (*checker).arithmetic},
	"mul":    {Params: []Type{number, number}, typed: (*checker).arithmetic},
	"div":    {Params: []Type{number, number}, Result: float},
	"intdiv": {Params: []Type{integer, integer}, Result: integer},
	"mod":    {Params: []Type{integer, integer}, Result: integer},
	"neg":    {Params: []Type{number}, typed: (*checker).arithmetic},
	"abs":    {Params: []Type{number}, typed: (*checker).arithmetic},
	"min":    {Params: []Type{number, number}, typed: (*checker).arithmetic}, // as arithmetic, integers beyond 2^53-1 are errors
	"max":    {Params: []Type{number, number}, typed: (*checker).arithmetic},
	"floor":  {Params: []Type{number}, Result: integer}, // an error of the kind exact for what is beyond 2^53-1
	"ceil":   {Params: []Type{number}, Result: integer},

	"text":        {Params: []Type{anything}, typed: (*checker).text},      // of a string, a number or a boolean ("true", "false")
	"int":         {Params: []Type{anything}, typed: (*checker).toInt},     // of an integer, or of a string of digits, with a minus or not, within 64 bits; else an error of the kind number
	"float":       {Params: []Type{anything}, typed: (*checker).toFloat},   // of a number, or of a string that spells one in decimal, "inf", "+inf" or "-inf"; else an error of the kind number
	"parse_int":   {Params: []Type{str}, Result: integer.Optional()},       // as int, but null for what is none
	"parse_float": {Params: []Type{str}, Result: float.Optional()},         // as float, but null for what is none
	"type":        {Params: []Type{anything}, Result: str},                 // null, bool, number, string, list or map
	"len":         {Params: []Type{anything}, typed: (*checker).length},    // of a string in bytes, of a list, of a map
	"at":          {Params: []Type{list, integer}, typed: (*checker).elem}, // null outside
	"get":         {Params: []Type{mapping, str}, typed: (*checker).elem},  // null if there is none
	"has":         {Params: []Type{mapping, str}, Result: boolean},
	"keys":        {Params: []Type{mapping}, Result: ListOf(str)}, // sorted
	"sorted":      {Params: []Type{ListOf(str)}, Result: ListOf(str)},
	"sublist":     {Params: []Type{list, integer, integer}, Optional: 1, typed: (*checker).same}, // from, to before which; clamped
	"zip":         {Params: []Type{ListOf(str), list}, typed: (*checker).zip},                    // a map of keys and as many values; null values are in it. An error of the kind index if there are not as many

	"concat":  {Params: []Type{anything}, Variadic: true, typed: (*checker).text},           // of the texts
	"slice":   {Params: []Type{str, integer, integer}, Optional: 1, Result: str},            // from, to before which; clamped, negative ones to 0
	"find":    {Params: []Type{str, str, integer}, Optional: 1, Result: integer.Optional()}, // the first place not before the third; null if there is none
	"prefix":  {Params: []Type{str, str}, Result: boolean},
	"suffix":  {Params: []Type{str, str}, Result: boolean},
	"upper":   {Params: []Type{str}, Result: str},
	"lower":   {Params: []Type{str}, Result: str},
	"split":   {Params: []Type{str, str}, Result: ListOf(str)}, // an error of the kind size for an empty separator
	"join":    {Params: []Type{list, str}, Result: str},        // of the texts of the elements
	"replace": {Params: []Type{str, str, str}, Result: str},    // all of the second by the third; an error of the kind size for an empty second
	"repeat":  {Params: []Type{str, integer}, Result: str},     // none for negative numbers; an error of the kind size beyond 512 MiB

	"to_json":   {Params: []Type{anything}, Result: str},
	"from_json": {Params: []Type{str}},
	"now":       {Result: integer}, // milliseconds since 1970 of the engine's clock
}

// Pure reports whether a function gives the same for the same arguments and nothing else can tell that it ran.
func Pure(name string) bool { return name != "now" }
