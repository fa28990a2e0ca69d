-- helpers: 
-- program get
local key = KEYS[1]
return (redis.call("GET", key) or nil)
