#!lua
-- Keeps which generation of the namespace is the live one, and who may switch.
-- KEYS 1 generations, 2 hold. ARGV operation, owner, then milliseconds (hold) or a generation (flip, forget).
-- Returns {done, live, next, whether a switch is held}.
local operation, owner, value = ARGV[1], ARGV[2], ARGV[3]
local stored = redis.call('HMGET', KEYS[1], 'live', 'next')
local live, following = stored[1] or '1', stored[2] or '0'
local holder = redis.call('GET', KEYS[2])
local done = 0
if operation == 'begin' then
  if following == '0' then
    following = tostring(redis.call('HINCRBY', KEYS[1], 'made', 1) + 1)
    redis.call('HSET', KEYS[1], 'next', following)
  end
  done = 1
elseif operation == 'hold' and (not holder or holder == owner) then
  redis.call('SET', KEYS[2], owner, 'PX', value)
  holder, done = owner, 1
elseif operation == 'flip' and holder == owner and following == value then
  redis.call('HSET', KEYS[1], 'live', following)
  redis.call('HDEL', KEYS[1], 'next')
  redis.call('DEL', KEYS[2])
  live, following, holder, done = following, '0', false, 1
elseif operation == 'release' and holder == owner then
  redis.call('DEL', KEYS[2])
  holder, done = false, 1
elseif operation == 'forget' and following == value and not holder then
  redis.call('HDEL', KEYS[1], 'next')
  following, done = '0', 1
end
return {done, live, following, holder and 1 or 0}
