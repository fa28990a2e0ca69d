-- helpers: find, sub, format, floor, Large, large, parse_int, int_of, compare_large, compare
-- program partition
local inp = KEYS[1]
local left = KEYS[2]
local right = KEYS[3]
local cmp = int_of(ARGV[1])
local value = (redis.call("LPOP", inp) or nil)
while value ~= nil do
	if compare(int_of(value), cmp) < 0 then
		redis.call("LPUSH", left, value)
	else
		redis.call("RPUSH", right, value)
	end
	value = (redis.call("LPOP", inp) or nil)
end
if redis.call("LLEN", left) > redis.call("LLEN", right) then
	redis.call("LPUSH", right, (redis.call("RPOP", left) or nil) or "")
end
return nil
