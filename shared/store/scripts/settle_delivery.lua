#!lua flags=allow-oom
-- Write down how a try went: `delivered`, `retry` (in so many microseconds), `failed` or `gone`.
-- Answers the delivery's status, or `lost` where this try does not count any more.

local delivery, try, outcome, line = load_delivery(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local pause, patience = tonumber(ARGV[5]), tonumber(ARGV[6])

if not delivery or delivery.status ~= 'pending' then
  return 'lost'
end
-- A late success is one all the same: the receiver has it.
if delivery.tries ~= try and outcome ~= 'delivered' then
  return 'lost'
end

local now = now_us()
local record, endpoint = delivery_key(delivery.id), endpoint_key(delivery.endpoint)
redis.call('HSET', record, 'log', (delivery.log or '') .. line .. '\n')
redis.call('HDEL', record, 'forced')
land(delivery)

local status = 'pending'
if outcome == 'delivered' then
  redis.call('DEL', endpoint)
  status = 'delivered'
else
  redis.call('HSETNX', endpoint, 'failing_since', whole(now))
  redis.call('EXPIRE', endpoint, DELIVERY_LOG_SECONDS)
  local failing = now - redis.call('HGET', endpoint, 'failing_since')
  if outcome == 'gone' or failing >= patience then
    redis.call('HSET', endpoint, 'disabled', outcome == 'gone' and 'gone' or 'failing')
    status = 'failed'
  elseif outcome == 'failed' then
    status = 'failed'
  end
end

if status == 'pending' then
  schedule(delivery, now + pause)
else
  end_delivery(delivery, status)
end
wake(delivery, now)
return status
