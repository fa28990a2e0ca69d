-- The functions that programs use. A paragraph is one of them with what it says; it may use those above it. What begins with a dollar is a
-- constant of helpers.go, as an error of package graph, quoted. None returns nothing, since that would be no argument of another call.

local find = string.find

local sub = string.sub

local byte = string.byte

local format = string.format

local floor = math.floor

local concat = table.concat

local sort = table.sort

-- null in lists and maps, where nil would be a hole; everywhere else null is nil.
local null = cjson.null

-- The metatable of maps, which tells them from lists.
local Map = {}

-- The metatable of integers beyond 2^53-1, which are tables with their digits, since numbers of Lua would round them.
local Large = {__eq = function(a, b) return a.text == b.text end}
for _, operator in ipairs({"__add", "__sub", "__mul", "__div", "__mod", "__unm"}) do
	Large[operator] = function() error($ErrExact, 0) end
end

-- An integer beyond 2^53-1.
local function large(spelled)
	return setmetatable({text = spelled}, Large)
end

-- What a list or map has for x.
local function or_null(x)
	if x == nil then return null end
	return x
end

-- The kind of a value.
local function kind(x)
	local of = type(x)
	if x == nil or x == null then return "null" end
	if of == "boolean" then return "bool" end
	if of ~= "table" then return of end
	local meta = getmetatable(x)
	return meta == Large and "number" or meta == Map and "map" or "list"
end

-- x, which must not be null.
local function need(x, want)
	if x == nil then error(format($ErrNull, want), 0) end
	return x
end

-- Below 0, 0 or above 0, as the string a is less than, equal to or greater than b. Lua's own < knows languages.
local function compare_bytes(a, b)
	if a == b then return 0 end
	for i = 1, #a do
		local x, y = byte(a, i), byte(b, i)
		if x ~= y then return y and x < y and -1 or 1 end
	end
	return -1
end

-- The keys of a map in their order.
local function keys(map)
	local list = {}
	for key in pairs(map) do list[#list + 1] = key end
	sort(list, function(a, b) return compare_bytes(a, b) < 0 end)
	return list
end

-- The kinds that values of a type have.
local kinds = {Bool = "bool", Int = "number", Float = "number", Number = "number", String = "string", List = "list", Map = "map"}

-- x, which must be of the type that is wanted.
local function as(x, want)
	if want == "Any" then return x end
	local is = kind(x)
	if sub(want, -8) == " or null" then
		if is == "null" then return x end
		want = sub(want, 1, -9)
	end
	if is == "null" then
		if want == "Null" then return x end
		error(format($ErrNull, want), 0)
	end
	local bracket = find(want, "(", 1, true)
	if is ~= kinds[bracket and sub(want, 1, bracket - 1) or want] then error(format($ErrType, is, want), 0) end
	if bracket then
		local elem = sub(want, bracket + 1, -2)
		if is == "list" then
			for _, e in ipairs(x) do as(e, elem) end
		else -- in their order: which of two fails first must not be left to chance
			for _, key in ipairs(keys(x)) do as(x[key], elem) end
		end
	elseif want == "Int" and type(x) == "number" then
		if x % 1 ~= 0 or x > 9007199254740991 or x < -9007199254740991 then error(format($ErrType, is, want), 0) end
		return x + 0 -- -0 is 0
	elseif want == "Float" and type(x) == "table" then
		error($ErrExact, 0)
	end
	return x
end

-- The integer that a string spells; nil if it spells none.
local function parse_int(s)
	if not find(s, "^%-?%d+$") then return nil end
	local n = tonumber(s)
	if n <= 9007199254740991 and n >= -9007199254740991 then return n + 0 end -- -0 is 0
	local _, _, minus, rest = find(s, "^(%-?)0*(%d+)$")
	local most = minus == "-" and "9223372036854775808" or "9223372036854775807"
	if #rest > #most or #rest == #most and rest > most then return nil end
	return large(minus .. rest)
end

-- The number that a string spells in decimal; nil if it spells none.
local function parse_float(s)
	if find(s, "^[%d.eE+-]+$") then return tonumber(s) end
	if s == "inf" or s == "+inf" then return math.huge end
	if s == "-inf" then return -math.huge end
	return nil
end

-- The integer that a string must spell.
local function int_of(s)
	local n = parse_int(s)
	if not n then error($ErrInteger, 0) end
	return n
end

-- The number that a string must spell in decimal.
local function float_of(s)
	local n = parse_float(s)
	if not n then error($ErrNumber, 0) end
	return n
end

-- x as an integer.
local function int(x)
	if type(x) == "string" then return int_of(x) end
	if type(x) == "number" then
		if x % 1 ~= 0 or x > 9007199254740991 or x < -9007199254740991 then error($ErrInteger, 0) end
		return x + 0 -- -0 is 0
	end
	if getmetatable(x) == Large then return x end
	local is = kind(x)
	if is == "null" then error(format($ErrNull, $WantNumeral), 0) end
	error(format($ErrType, is, $WantNumeral), 0)
end

-- x as a float.
local function float(x)
	if type(x) == "string" then return float_of(x) end
	if type(x) == "number" then return x end
	local is = kind(x)
	if is == "number" then error($ErrExact, 0) end
	if is == "null" then error(format($ErrNull, $WantNumeral), 0) end
	error(format($ErrType, is, $WantNumeral), 0)
end

-- The number that an argument spells.
local function number(s)
	local n = parse_int(s) or parse_float(s)
	if not n then error($ErrNumber, 0) end
	return n
end

-- The text of a number of Lua.
local function number_text(n)
	if n % 1 == 0 and n <= 9007199254740991 and n >= -9007199254740991 then return format("%.0f", n + 0) end -- -0 is 0
	if n == math.huge then return "inf" end
	if n == -math.huge then return "-inf" end
	for _, precise in ipairs({"%.15g", "%.16g"}) do
		local spelled = format(precise, n)
		if tonumber(spelled) == n then return spelled end
	end
	return format("%.17g", n)
end

-- x as text, which what wants it cannot do without.
local function text_for(x, want)
	local of = type(x)
	if of == "string" then return x end
	if of == "number" then return number_text(x) end
	local is = kind(x)
	if is == "number" then return x.text end
	if is == "null" then error(format($ErrNull, want), 0) end
	error(format($ErrType, is, want), 0)
end

-- x as text.
local function text(x)
	if type(x) == "boolean" then return tostring(x) end
	return text_for(x, $WantText)
end

-- x as a word of a command.
local function word(x)
	if type(x) == "string" then return x end
	return text_for(x, $WantWord)
end

-- The words of a command, of lists of them.
local function words(...)
	local all, n = {}, 0
	for i = 1, select("#", ...) do
		local list = select(i, ...)
		for j = 1, #list do
			if n == $MostWords then error($ErrWords, 0) end
			n = n + 1
			all[n] = word(list[j])
		end
	end
	return unpack(all, 1, n)
end

-- An integer that arithmetic made.
local function exact(n)
	if n > 9007199254740991 or n < -9007199254740991 then error($ErrExact, 0) end
	return n + 0 -- -0 is 0
end

-- A float that arithmetic made.
local function real(n)
	if n ~= n then error($ErrNaN, 0) end
	return n
end

-- n, made of a and b by arithmetic. If both are integers it must be an exact one.
local function arithmetic(n, a, b)
	if n ~= n then error($ErrNaN, 0) end
	if (n > 9007199254740991 or n < -9007199254740991) and a % 1 == 0 and b % 1 == 0
		and a <= 9007199254740991 and a >= -9007199254740991 and b <= 9007199254740991 and b >= -9007199254740991 then
		error($ErrExact, 0)
	end
	return n
end

local function add(a, b) return arithmetic(a + b, a, b) end

local function subtract(a, b) return arithmetic(a - b, a, b) end

local function multiply(a, b) return arithmetic(a * b, a, b) end

local function divide(a, b)
	local n = a / b
	if b == 0 then error($ErrZero, 0) end
	if n ~= n then error($ErrNaN, 0) end
	return n
end

-- a divided by b, rounded down.
local function int_divide(a, b)
	local n = a / b
	if b == 0 then error($ErrZero, 0) end
	return floor(n) + 0 -- -0 is 0
end

-- What int_divide leaves. Lua's % is wrong near 2^53.
local function modulo(a, b)
	local _ = a + b -- which refuses what is large
	if b == 0 then error($ErrZero, 0) end
	local n = math.fmod(a, b)
	if n ~= 0 and (n < 0) ~= (b < 0) then n = n + b end
	return n + 0 -- -0 is 0
end

local function abs(x) return math.abs(x + 0) end

local function min(a, b) return math.min(a + 0, b + 0) end

local function max(a, b) return math.max(a + 0, b + 0) end

local function round_down(x) return exact(floor(x + 0)) end

local function round_up(x) return exact(math.ceil(x + 0)) end

-- Below 0, 0 or above 0, as a is less than, equal to or greater than b, of which one is large at least.
local function compare_large(a, b)
	if a == math.huge or b == -math.huge then return 1 end
	if b == math.huge or a == -math.huge then return -1 end
	local x = type(a) == "table" and a.text or format("%.0f", floor(a))
	local y = type(b) == "table" and b.text or format("%.0f", floor(b))
	local sign = sub(x, 1, 1) == "-" and -1 or 1
	if sign ~= (sub(y, 1, 1) == "-" and -1 or 1) then return sign end
	if #x ~= #y then return #x < #y and -sign or sign end
	if x == y then return 0 end
	return x < y and -sign or sign
end

-- Below 0, 0 or above 0, as the number a is less than, equal to or greater than b.
local function compare(a, b)
	if type(a) == "number" and type(b) == "number" then
		if a < b then return -1 end
		return a > b and 1 or 0
	end
	return compare_large(a, b)
end

-- Below 0, 0 or above 0, as a is less than, equal to or greater than b: two numbers or two strings.
local function order(a, b)
	local of, other = kind(a), kind(b)
	if of == "number" and other == "number" then return compare(a, b) end
	if of == "string" and other == "string" then return compare_bytes(a, b) end
	error(format($ErrCompared, of, other), 0)
end

-- Whether a and b are the same number, string, …, or have equal elements.
local function equal(a, b)
	if a == b then return true end
	local of, other = type(a), type(b)
	if of ~= "table" and other ~= "table" then return false end
	local meta = getmetatable(a)
	if meta == Large or getmetatable(b) == Large then
		return (of == "number" or other == "number") and compare_large(a, b) == 0
	end
	if of ~= other or meta ~= getmetatable(b) then return false end
	if meta ~= Map and #a ~= #b then return false end
	for key, x in pairs(a) do
		if not equal(x, b[key]) then return false end
	end
	for key in pairs(b) do
		if a[key] == nil then return false end
	end
	return true
end

-- A list or map of its own with the elements of x; anything else as it is.
local function copy(x)
	if type(x) ~= "table" or getmetatable(x) == Large then return x end
	local own = setmetatable({}, getmetatable(x))
	for key, e in pairs(x) do own[key] = e end
	return own
end

-- The i-th element of a list from 0, or nil.
local function at(list, i)
	if type(i) ~= "number" then return nil end
	local x = list[i + 1]
	if x == null then return nil end
	return x
end

-- The value of a key in a map, or nil.
local function get(map, key)
	local x = map[key]
	if x == null then return nil end
	return x
end

-- Makes x the i-th element of a list from 0, which may be one more than it has.
local function set_at(list, i, x)
	if type(i) ~= "number" or i < 0 or i > #list then error($ErrIndex, 0) end
	list[i + 1] = x
	return nil
end

-- How many keys a map has.
local function count(map)
	local n = 0
	for _ in pairs(map) do n = n + 1 end
	return n
end

-- The length of a string, a list or a map.
local function length(x)
	local is = kind(x)
	if is == "string" or is == "list" then return #x end
	if is == "map" then return count(x) end
	if is == "null" then error(format($ErrNull, $WantLength), 0) end
	error(format($ErrType, is, $WantLength), 0)
end

-- A list of strings in the order of their bytes.
local function sorted(list)
	local own = {}
	for i, s in ipairs(list) do own[i] = s end
	sort(own, function(a, b) return compare_bytes(a, b) < 0 end)
	return own
end

-- Walks a map in the order of its keys.
local function walk(map)
	local list, i = keys(map), 0
	return function()
		i = i + 1
		return list[i], map[list[i]]
	end
end

-- The i-th of the keys of a run behind those that have names.
local function key_at(i, named)
	local key = type(i) == "number" and i >= 0 and KEYS[named + i + 1]
	if not key then error($ErrKeyIndex, 0) end -- # would look for the end of KEYS each time
	return key
end

-- i between 0 and n.
local function clamp(i, n)
	if type(i) == "table" then return sub(i.text, 1, 1) == "-" and 0 or n end
	if i < 0 then return 0 end
	return i > n and n or i
end

-- The elements from the n-th on, where the first is the first.
local function words_from(list, n)
	local last = #list
	if last - n < 4000 then return {unpack(list, n, last)} end -- the stack takes twice as many
	local part = {}
	for i = n, last do part[i - n + 1] = list[i] end
	return part
end

-- The elements from one to before another.
local function sublist(list, from, to)
	local part = {}
	for i = clamp(from, #list) + 1, to and clamp(to, #list) or #list do part[#part + 1] = list[i] end
	return part
end

-- The bytes from one to before another.
local function slice(s, from, to)
	return sub(s, clamp(from, #s) + 1, to and clamp(to, #s) or #s)
end

-- A map of keys to as many values.
local function zip(list, values)
	if #list ~= #values then error($ErrZip, 0) end
	local map = setmetatable({}, Map)
	for i, key in ipairs(list) do map[key] = values[i] end
	return map
end

-- The first place of a string in another, from a place on; nil if there is none.
local function find_from(s, what, from)
	if clamp(from, #s + 1) > #s then return nil end
	local i = find(s, what, clamp(from, #s) + 1, true)
	return i and i - 1
end

local function prefix(s, start) return sub(s, 1, #start) == start end

local function suffix(s, tail) return #tail <= #s and sub(s, #s - #tail + 1) == tail end

-- A string that is not too long.
local function short(s)
	if #s > $MaxString then error($ErrLong, 0) end
	return s
end

-- The parts of a string between separators.
local function split(s, separator)
	if separator == "" then error($ErrSeparator, 0) end
	local parts, from = {}, 1
	while true do
		local first, last = find(s, separator, from, true)
		if not first then break end
		parts[#parts + 1] = sub(s, from, first - 1)
		from = last + 1
	end
	parts[#parts + 1] = sub(s, from)
	return parts
end

-- The elements of a list as text, with a separator between them.
local function join(list, separator)
	local parts, size = {}, 0
	for i, x in ipairs(list) do
		parts[i] = text(x)
		size = size + #parts[i] + (i > 1 and #separator or 0)
	end
	if size > $MaxString then error($ErrLong, 0) end
	return concat(parts, separator)
end

-- A string with another one for each of what is looked for.
local function replace(s, what, by)
	return join(split(s, what), by)
end

-- A string so many times.
local function repeated(s, n)
	if s == "" then return s end -- Lua would take as long for it
	n = clamp(n, $MaxString + 1)
	if #s * n > $MaxString then error($ErrLong, 0) end
	return string.rep(s, n)
end

-- Milliseconds since 1970.
local function now()
	local time = redis.call("TIME")
	return time[1] * 1000 + floor(time[2] / 1000)
end

-- The bytes that JSON escapes.
local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f"}

-- The JSON of a string.
local function json_string(s)
	if find(s, '[%z\1-\31"\\]') then
		s = string.gsub(s, '[%z\1-\31"\\]', function(c) return escapes[c] or format("\\u%04x", byte(c)) end)
	end
	return '"' .. s .. '"'
end

-- The JSON of a value within so many others.
local function json(x, depth)
	local is = kind(x)
	if is == "string" then return json_string(x) end
	if is == "null" then return "null" end
	if is == "bool" then return tostring(x) end
	if is == "number" then
		if x == math.huge or x == -math.huge then error($ErrInfinite, 0) end
		return text(x)
	end
	if depth == $MaxNested then error($ErrDepth, 0) end
	local parts = {}
	if is == "list" then
		for i, e in ipairs(x) do parts[i] = json(e, depth + 1) end
		return "[" .. concat(parts, ",") .. "]"
	end
	for i, key in ipairs(keys(x)) do parts[i] = json_string(key) .. ":" .. json(x[key], depth + 1) end
	return "{" .. concat(parts, ",") .. "}"
end

-- The JSON of a value. That of cjson has no large integers, and no empty lists.
local function to_json(x) return json(x, 0) end

-- The UTF-8 of a character; half a pair is U+FFFD.
local function utf8(r)
	if r < 0x80 then return string.char(r) end
	if r < 0x800 then return string.char(0xc0 + floor(r / 0x40), 0x80 + r % 0x40) end
	if r >= 0xd800 and r < 0xe000 then r = 0xfffd end
	if r < 0x10000 then return string.char(0xe0 + floor(r / 0x1000), 0x80 + floor(r / 0x40) % 0x40, 0x80 + r % 0x40) end
	return string.char(0xf0 + floor(r / 0x40000), 0x80 + floor(r / 0x1000) % 0x40, 0x80 + floor(r / 0x40) % 0x40, 0x80 + r % 0x40)
end

-- What the escapes of JSON stand for.
local escaped = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", n = "\n", r = "\r", t = "\t", b = "\b", f = "\f"}

-- The value that a JSON text stands for.
local function from_json(s)
	local here = 1 -- where the next byte is
	local value

	local function wrong() error(format($ErrJSON, here - 1), 0) end

	local function space() here = find(s, "[^ \t\n\r]", here) or #s + 1 end

	local function literal(w, x)
		for i = 1, #w do
			if byte(s, here) ~= byte(w, i) then wrong() end
			here = here + 1
		end
		return x
	end

	local function figures()
		local _, last = find(s, "^%d+", here)
		if not last then wrong() end
		here = last + 1
	end

	local function numeric()
		local from, whole = here, true
		if sub(s, here, here) == "-" then here = here + 1 end
		if sub(s, here, here) == "0" then here = here + 1 else figures() end
		if sub(s, here, here) == "." then
			here, whole = here + 1, false
			figures()
		end
		if find(s, "^[eE]", here) then
			here, whole = here + 1, false
			if find(s, "^[+-]", here) then here = here + 1 end
			figures()
		end
		local spelled = sub(s, from, here - 1)
		return whole and parse_int(spelled) or tonumber(spelled) + 0 -- -0 is 0
	end

	local function unit()
		for i = here, here + 3 do
			if not find(s, "^%x", i) then
				here = i
				wrong()
			end
		end
		here = here + 4
		return tonumber(sub(s, here - 4, here - 1), 16)
	end

	local function str()
		here = here + 1
		local parts = {}
		while true do
			local stop = find(s, '["\\]', here)
			if not stop then
				here = #s + 1
				wrong()
			end
			parts[#parts + 1] = sub(s, here, stop - 1)
			here = stop + 1
			if byte(s, stop) == 34 then return concat(parts) end
			local c = sub(s, here, here)
			if escaped[c] then
				parts[#parts + 1] = escaped[c]
				here = here + 1
			elseif c == "u" then
				here = here + 1
				local r = unit()
				if r >= 0xd800 and r < 0xdc00 and sub(s, here, here + 1) == "\\u" then
					local back = here
					here = here + 2
					local low = unit()
					if low >= 0xdc00 and low < 0xe000 then
						r = (r - 0xd800) * 0x400 + low - 0xdc00 + 0x10000
					else -- it stands for itself
						here = back
					end
				end
				parts[#parts + 1] = utf8(r)
			else
				wrong()
			end
		end
	end

	-- Whether another element follows, or the end.
	local function more(last)
		space()
		local c = sub(s, here, here)
		if c ~= "," and c ~= last then wrong() end
		here = here + 1
		return c == ","
	end

	local function list(depth)
		local own, n = {}, 0
		space()
		if sub(s, here, here) == "]" then
			here = here + 1
			return own
		end
		repeat
			n = n + 1
			own[n] = value(depth)
		until not more("]")
		return own
	end

	local function map(depth)
		local own = setmetatable({}, Map)
		space()
		if sub(s, here, here) == "}" then
			here = here + 1
			return own
		end
		repeat
			space()
			if sub(s, here, here) ~= '"' then wrong() end
			local key = str()
			space()
			literal(":")
			own[key] = value(depth)
		until not more("}")
		return own
	end

	function value(depth)
		space()
		local c = sub(s, here, here)
		if c == '"' then return str() end
		if c == "n" then return literal("null", null) end
		if c == "t" then return literal("true", true) end
		if c == "f" then return literal("false", false) end
		if c ~= "[" and c ~= "{" then return numeric() end
		if depth == $MaxNested then error($ErrDepth, 0) end
		here = here + 1
		if c == "[" then return list(depth + 1) end
		return map(depth + 1)
	end

	local x = value(0)
	space()
	if here <= #s then wrong() end
	if x == null then return nil end
	return x
end

-- A reply that its command must not give.
local function wrong_reply() error($ErrReply, 0) end

-- A reply as it is.
local function reply_any(r)
	if r == false then return nil end
	if type(r) == "number" and (r > 9007199254740991 or r < -9007199254740991) then error($ErrExact, 0) end
	if type(r) ~= "table" then return r end
	if r.ok then return r.ok end
	for i, x in ipairs(r) do r[i] = or_null(reply_any(x)) end
	return r
end

local function reply_bool(r) return r ~= false and r ~= 0 end

local function reply_int(r)
	if type(r) ~= "number" then wrong_reply() end
	if r > 9007199254740991 or r < -9007199254740991 then error($ErrExact, 0) end
	return r
end

-- What a counter says. Beyond 2^53-1 it is read again as text, since Lua has rounded it.
local function reply_counter(reader, command, key, ...)
	local n = redis.call(command, key, ...)
	if type(n) ~= "number" then wrong_reply() end
	if n <= 9007199254740991 and n >= -9007199254740991 then return n end
	if reader == "HGET" then return parse_int(redis.call(reader, key, (...))) end
	return parse_int(redis.call(reader, key))
end

local function reply_string(r)
	if type(r) == "table" and r.ok then return r.ok end
	if type(r) ~= "string" then wrong_reply() end
	return r
end

local function reply_maybe_string(r)
	if r == false then return nil end
	return reply_string(r)
end

local function reply_float(r)
	local n = type(r) == "string" and parse_float(r)
	if not n then wrong_reply() end
	return n
end

local function reply_maybe_float(r)
	if r == false then return nil end
	return reply_float(r)
end

-- A reply whose elements all pass, each as what it is then.
local function reply_list(r, each)
	if type(r) ~= "table" or r.ok then wrong_reply() end
	for i, x in ipairs(r) do r[i] = each(x) end
	return r
end

local function reply_bulk(x)
	if type(x) ~= "string" then wrong_reply() end
	return x
end

local function reply_strings(r) return reply_list(r, reply_bulk) end

local function reply_maybe_strings(r)
	if r == false then return nil end
	return reply_strings(r)
end

local function reply_each_maybe(r)
	return reply_list(r, function(x)
		if x == false then return null end
		return reply_bulk(x)
	end)
end

local function reply_bools(r)
	return reply_list(r, function(x)
		if type(x) ~= "number" then wrong_reply() end
		return x ~= 0
	end)
end

-- A reply of keys and values.
local function reply_map(r)
	if #reply_strings(r) % 2 ~= 0 then wrong_reply() end
	local map = setmetatable({}, Map)
	for i = 1, #r, 2 do map[r[i]] = r[i + 1] end
	return map
end

-- A reply of members and scores.
local function reply_scored(r)
	if #reply_strings(r) % 2 ~= 0 then wrong_reply() end
	local list = {}
	for i = 1, #r, 2 do list[#list + 1] = {r[i], reply_float(r[i + 1])} end
	return list
end

-- Entries of a stream.
local function reply_entries(r)
	return reply_list(r, function(e)
		if type(e) ~= "table" or type(e[1]) ~= "string" then wrong_reply() end
		return setmetatable({id = e[1], fields = e[2] and reply_map(e[2]) or null}, Map)
	end)
end

-- The entries of the one stream that was read.
local function reply_stream(r)
	if r == false then return {} end
	if type(r) ~= "table" or #r ~= 1 or type(r[1]) ~= "table" then wrong_reply() end
	return reply_entries(r[1][2])
end

local function reply_type(r)
	local name = reply_string(r)
	if name == "none" then return nil end
	return name
end

-- A boolean as a reply.
local function result_bool(x)
	if x == nil then return nil end
	return x and 1 or 0
end

-- An integer as a reply.
local function result_int(n)
	if type(n) == "table" then return n.text end
	return n
end

-- A number as a reply.
local function result_number(n)
	if n == nil then return nil end
	return text(n)
end

-- What a run did.
local trace = {}

-- Tells the trace what x is.
local function traced(n, x)
	if #trace < $MaxTrace then
		local ok, is = pcall(to_json, x)
		if not ok then is = json_string(is) end
		trace[#trace + 1] = "[" .. n .. "," .. is .. "]"
	end
	return x
end

-- The reply of a run with its trace.
local function run_traced(body)
	local ok, result = pcall(body)
	if not ok and type(result) == "table" then result = result.err end
	return {"[" .. concat(trace, ",") .. "]", ok and 1 or 0, or_null(result)}
end
