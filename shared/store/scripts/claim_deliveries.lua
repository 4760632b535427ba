#!lua flags=allow-oom
-- Lend due deliveries to a sender, the longest waiting tenant first: {{id, record}, ...}.

local limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_us()

local function claim(delivery)
  local lent_until = whole(now + lease)
  redis.call('HINCRBY', delivery_key(delivery.id), 'tries', 1)
  redis.call('HINCRBY', delivery_key(delivery.id), 'round', 1)
  -- A sender that dies leaves it due again.
  redis.call('ZADD', due_key(delivery.target), lent_until, delivery.id)
  redis.call('ZADD', flights_of_target(delivery.target), lent_until, delivery.id)
  redis.call('ZADD', flights_of_tenant(delivery.tenant), lent_until, delivery.id)
  return { delivery.id, redis.call('HGETALL', delivery_key(delivery.id)) }
end

local claimed = {}
for _ = 1, limit do
  local tenant = due_first(TENANTS, now)
  if not tenant then
    break
  end
  local target = due_first(targets_key(tenant), now)
  local id = target and due_first(due_key(target), now)
  if id then
    local delivery = load_delivery(id)
    if disabled(delivery) and not delivery.forced then
      end_delivery(delivery, 'disabled')
    else
      table.insert(claimed, claim(delivery))
    end
  end
  -- With a slot that a dead sender held, an alarm may have come too early.
  if target then
    wake_target(tenant, target, now)
  end
  wake_tenant(tenant, now)
end
return claimed
