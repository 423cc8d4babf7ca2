#!lua
-- Moves accounts out of a sorted set of layout 1. KEYS 1 the set, 2 due instants as layout 1 has them,
-- 3 next, 4… places. ARGV (number of the place's key, its name in next, account)…
for i = 1, #ARGV, 3 do
  local place, name, account = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  local due = redis.call('ZSCORE', KEYS[2], account)
  if redis.call('ZREM', KEYS[1], account) == 1 then
    redis.call('ZREM', KEYS[2], account)
    -- Too early does no harm: a sweep looks, and arms the true instant.
    redis.call('ZADD', place, 'LT', due or '+inf', account)
    if due then redis.call('ZADD', KEYS[3], 'LT', due, name) end
  end
end
return 'ok'
