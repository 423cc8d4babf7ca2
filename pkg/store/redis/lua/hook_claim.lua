#!lua
-- Returns the first entry of each group that is due, and makes the group due again later.
-- KEYS 1 due, 2 order, 3 events, 4 tries. ARGV now, until, limit. A group is a quoted text, so none begins another one.
local out = {}
for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  local entry = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. group .. ' ', '(' .. group .. '!', 'LIMIT', 0, 1)[1]
  if entry then
    redis.call('ZADD', KEYS[1], ARGV[2], group)
    out[#out + 1] = entry
    out[#out + 1] = redis.call('HGET', KEYS[3], entry) or ''
    out[#out + 1] = redis.call('HGET', KEYS[4], group) or ''
  else
    redis.call('ZREM', KEYS[1], group)
  end
end
return out
