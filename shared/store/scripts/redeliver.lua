#!lua
-- Send a delivery again, from the start of the schedule and though its endpoint be disabled.

local delivery = load_delivery(ARGV[1])
if not delivery then
  return 0
end
local now = now_us()
local record = delivery_key(delivery.id)
redis.call('PERSIST', record)
redis.call('ZREM', undelivered_key(delivery.tenant, delivery.status), delivery.id)
redis.call('HSET', record, 'status', 'pending', 'round', 0, 'forced', 1)
-- One in flight stays there: its end decides what follows.
if not redis.call('ZSCORE', flights_of_target(delivery.target), delivery.id) then
  schedule(delivery, now)
  wake(delivery, now)
end
return 1
