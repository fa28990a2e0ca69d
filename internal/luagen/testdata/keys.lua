-- helpers: exact, key_at
-- program keys
local first = KEYS[1]
local i = 0
local n = redis.call("STRLEN", first)
while i < #KEYS - 1 do
	n = exact(n + redis.call("STRLEN", key_at(i, 1)))
	i = i + 1
end
return n
