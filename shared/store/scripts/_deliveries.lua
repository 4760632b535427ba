-- Webhook deliveries: which are due, and how many of them are in flight.
--
-- A target is a host and a port of one tenant. Every target and every tenant has a wake-up time, at
-- which something of it can be sent: while receivers hang, nobody looks at what waits for them.

local PENDING, TENANTS = 'tessera:webhooks:pending', 'tessera:webhooks:tenants'

local function delivery_key(id)
  return 'tessera:delivery:' .. id
end

local function targets_key(tenant)
  return 'tessera:webhooks:targets:' .. tenant
end

local function due_key(target)
  return 'tessera:webhooks:due:' .. target
end

-- A tenant's deliveries that ended without success, by the time of their end.
local function undelivered_key(tenant, status)
  return 'tessera:webhooks:' .. status .. ':' .. tenant
end

local function endpoint_key(endpoint)
  return 'tessera:endpoint:' .. endpoint
end

local function earliest(set_of)
  return redis.call('ZRANGE', set_of, 0, 0, 'WITHSCORES')[2]
end

local function due_first(set_of, now)
  return redis.call('ZRANGEBYSCORE', set_of, '-inf', whole(now), 'LIMIT', 0, 1)[1]
end

-- When something can be sent: at the time of the first that waits, or once a flight ends.
local function wake_up(waiting, flights, most, now)
  redis.call('ZREMRANGEBYSCORE', flights, '-inf', whole(now))
  local full = redis.call('ZCARD', flights) >= most
  return earliest(waiting) and (full and earliest(flights) or earliest(waiting))
end

local function set_alarm(set_of, member, at)
  if at then
    redis.call('ZADD', set_of, at, member)
  else
    redis.call('ZREM', set_of, member)
  end
end

local function flights_of_target(target)
  return 'tessera:webhooks:flights:target:' .. target
end

local function flights_of_tenant(tenant)
  return 'tessera:webhooks:flights:tenant:' .. tenant
end

local function wake_target(tenant, target, now)
  local at = wake_up(due_key(target), flights_of_target(target), FLIGHTS_PER_TARGET, now)
  set_alarm(targets_key(tenant), target, at)
end

local function wake_tenant(tenant, now)
  local at = wake_up(targets_key(tenant), flights_of_tenant(tenant), FLIGHTS_PER_TENANT, now)
  set_alarm(TENANTS, tenant, at)
end

-- Where a delivery is due or has ended, what follows for its target and its tenant.
local function wake(delivery, now)
  wake_target(delivery.tenant, delivery.target, now)
  wake_tenant(delivery.tenant, now)
end

local function land(delivery)
  redis.call('ZREM', flights_of_target(delivery.target), delivery.id)
  redis.call('ZREM', flights_of_tenant(delivery.tenant), delivery.id)
end

local function load_delivery(id)
  local flat = redis.call('HGETALL', delivery_key(id))
  local delivery = flat[1] and { id = id }
  for i = 1, #flat, 2 do
    delivery[flat[i]] = flat[i + 1]
  end
  return delivery
end

local function disabled(delivery)
  return redis.call('HEXISTS', endpoint_key(delivery.endpoint), 'disabled') == 1
end

local function schedule(delivery, at)
  redis.call('ZADD', due_key(delivery.target), whole(at), delivery.id)
  redis.call('ZADD', PENDING, delivery.created_at, delivery.id)
end

-- The record stays for a while, so that it can be read and sent again.
local function end_delivery(delivery, status)
  redis.call('HSET', delivery_key(delivery.id), 'status', status)
  redis.call('EXPIRE', delivery_key(delivery.id), DELIVERY_LOG_SECONDS)
  redis.call('ZREM', due_key(delivery.target), delivery.id)
  redis.call('ZREM', PENDING, delivery.id)
  if status ~= 'delivered' then
    local list, now = undelivered_key(delivery.tenant, status), now_us()
    redis.call('ZREMRANGEBYSCORE', list, '-inf', whole(now - DELIVERY_LOG_SECONDS * 1000000))
    redis.call('ZADD', list, whole(now), delivery.id)
    redis.call('EXPIRE', list, DELIVERY_LOG_SECONDS)
  end
end
