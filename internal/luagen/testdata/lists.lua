-- helpers: find, byte, format, concat, sort, null, Map, Large, or_null, kind, compare_bytes, keys, number_text, text_for, text, copy, at, set_at, escapes, json_string, json, to_json
-- program lists
local numbers = {1, 2}
local maybe = {}
numbers[#numbers + 1] = 3
set_at(numbers, 0, 5)
maybe[#maybe + 1] = null
local copy_2 = copy(numbers)
return to_json({or_null(numbers[2]), or_null(at(maybe, 0)), #numbers, copy_2})
