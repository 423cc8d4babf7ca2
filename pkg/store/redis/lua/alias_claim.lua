#!lua
-- Gives domains to accounts unless a later claim has them. KEYS 1 aliases. ARGV (domain, time, account)…
-- A value is the time, a space, the account.
for i = 1, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  local since = held and string.match(held, '^%S+')
  if not since or tonumber(since) <= tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
  end
end
return 1
