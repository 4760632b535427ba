#!lua flags=no-writes
-- What waits in each lane: {model, priority, jobs, cost, seconds of the oldest}.

local now = now_us()
local rows = {}
for _, lane in ipairs(redis.call('SMEMBERS', 'tessera:lanes')) do
  local model, priority = string.match(lane, '^(.*):(.*)$')
  local waiting = lane_key(lane, 'waiting')
  local since = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  table.insert(rows, {
    model, priority, redis.call('ZCARD', waiting), redis.call('HGET', 'tessera:queue:cost', lane),
    thousandths((now - since) / 1000000),
  })
end
return rows
