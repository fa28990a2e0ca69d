-- helpers
local byte = string.byte
local sort = table.sort
-- The metatable of maps, which tells them from lists.
local Map = {}

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

-- An integer that arithmetic made.
local function exact(n)
	if n > 9007199254740991 or n < -9007199254740991 then error("script: exact: an integer beyond 2^53-1", 0) end
	return n + 0 -- -0 is 0
end

-- Walks a map in the order of its keys.
local function walk(map)
	local list, i = keys(map), 0
	return function()
		i = i + 1
		return list[i], map[list[i]]
	end
end

-- program loops
local total = 0
for i, word in ipairs({"a", "bc"}) do
	i = i - 1
	total = exact(total + exact(i * #word))
end
for key, n in walk(setmetatable({["x"] = 1, ["y"] = 2}, Map)) do
	if key == "y" then
		break
	end
	total = exact(total + n)
end
local end_2 = 0
while end_2 < 10 do
	end_2 = end_2 + 1
end
return total
