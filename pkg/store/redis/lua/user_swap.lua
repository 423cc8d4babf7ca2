#!lua
-- Replaces records of users that are what they were, each by itself. KEYS 1 records of this period, 2 of the one
-- before. ARGV milliseconds until this period's go, (user, was, now)… An empty text is no record. Answers the places
-- of those that were not.
local lost = {}
for i = 2, #ARGV, 3 do
  local user, was, now = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local held = redis.call('HGET', KEYS[1], user) or redis.call('HGET', KEYS[2], user) or ''
  if held ~= was and held ~= now then
    lost[#lost + 1] = (i + 1) / 3
  else
    redis.call('HDEL', KEYS[2], user)
    if now == '' then
      redis.call('HDEL', KEYS[1], user)
    else
      redis.call('HSET', KEYS[1], user, now)
    end
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return lost
