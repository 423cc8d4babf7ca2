#!lua
-- Puts the true earliest due instant of places in the place of one that is over. KEYS 1 next, 2… places. ARGV their names in next…
for i = 2, #KEYS do
  local first = redis.call('ZRANGE', KEYS[i], '0', '0', 'WITHSCORES')
  if first[2] and first[2] ~= 'inf' then
    redis.call('ZADD', KEYS[1], first[2], ARGV[i - 1])
  else
    redis.call('ZREM', KEYS[1], ARGV[i - 1])
  end
end
return 'ok'
