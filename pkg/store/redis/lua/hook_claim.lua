#!lua
-- Returns the first entry of each group that is due, and makes the group due again later.
-- KEYS 1 due, 2 order, 3 events, 4 tries. ARGV now, until, limit, and for how long to wait for a batch to fill; empty: no batches.
-- A group is a quoted text, so none begins another one. What failed in one batch is due at one instant, and has its id in tries.
local limit = tonumber(ARGV[3])

local function batch(group)
  return string.match(redis.call('HGET', KEYS[4], group) or '', '/(.*)$') or ''
end

-- The groups of the earliest batch that failed, or else those in none.
local function together()
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, 2 * limit)
  local fresh, first = {}, nil
  for n = 1, #due, 2 do
    local id = batch(due[n])
    if id ~= '' then
      local out = {}
      for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], due[n + 1], due[n + 1])) do
        if #out < limit and batch(group) == id then out[#out + 1] = group end
      end
      return out
    end
    first = first or tonumber(due[n + 1])
    if #fresh < limit then fresh[#fresh + 1] = due[n] end
  end
  if #fresh < limit and first and first > tonumber(ARGV[1]) - tonumber(ARGV[4]) then return {} end
  return fresh
end

local groups
if ARGV[4] == '' then
  groups = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, limit)
else
  groups = together()
end
local out = {}
for _, group in ipairs(groups) do
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
