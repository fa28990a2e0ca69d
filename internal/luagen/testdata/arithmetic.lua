-- helpers: find, format, null, Map, Large, large, kind, parse_int, parse_float, int_of, float_of, number_text, text_for, text, exact, real, result_number
-- program arithmetic
local a = int_of(ARGV[1])
local b = float_of(ARGV[2])
local sum = exact(a + 1)
local half = sum / 2
local i = 0
i = i + 1
sum = exact(exact(sum * 3) - i % 2)
return result_number(real(0 - half + real(b * 2.5)))
