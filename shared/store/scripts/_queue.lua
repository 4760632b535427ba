-- The queue: lanes of (model, priority), in each the waiting tenants by virtual time.
--
-- A lane is five sorted sets: `waiting` (all its jobs by age), `jobs:{tenant}` (one tenant's by age),
-- `tenants` (those with jobs, by virtual time), `costs` (the same, by the cost that waits) and `idle`
-- (those without jobs, but ahead of the others).

local PRIORITIES = { 'high', 'normal', 'low' }

local function lane_of(job)
  return job.model .. ':' .. job.priority
end

local function lane_key(lane, part)
  return 'tessera:lane:' .. lane .. ':' .. part
end

-- The smallest virtual time of a tenant with jobs, or nil in an empty lane.
local function smallest(lane)
  return redis.call('ZRANGE', lane_key(lane, 'tenants'), 0, 0, 'WITHSCORES')[2]
end

local function enqueue(job)
  local lane = lane_of(job)
  local tenants, idle = lane_key(lane, 'tenants'), lane_key(lane, 'idle')
  if not redis.call('ZSCORE', tenants, job.tenant) then
    local own = tonumber(redis.call('ZSCORE', idle, job.tenant) or 0)
    redis.call('ZADD', tenants, math.max(own, tonumber(smallest(lane) or 0)), job.tenant)
    redis.call('ZREM', idle, job.tenant)
  end
  redis.call('ZADD', lane_key(lane, 'waiting'), job.created_at, job.id)
  redis.call('ZADD', lane_key(lane, 'jobs:' .. job.tenant), job.created_at, job.id)
  redis.call('ZINCRBY', lane_key(lane, 'costs'), job.cost, job.tenant)
  redis.call('HINCRBYFLOAT', 'tessera:queue:cost', lane, job.cost)
  redis.call('SADD', 'tessera:lanes', lane)
end

local function dequeue(job)
  local lane = lane_of(job)
  local tenants, idle = lane_key(lane, 'tenants'), lane_key(lane, 'idle')
  redis.call('ZREM', lane_key(lane, 'waiting'), job.id)
  redis.call('ZREM', lane_key(lane, 'jobs:' .. job.tenant), job.id)
  redis.call('HINCRBYFLOAT', 'tessera:queue:cost', lane, -job.cost)
  redis.call('ZINCRBY', lane_key(lane, 'costs'), -job.cost, job.tenant)
  if redis.call('EXISTS', lane_key(lane, 'jobs:' .. job.tenant)) == 0 then
    redis.call('ZADD', idle, redis.call('ZSCORE', tenants, job.tenant), job.tenant)
    redis.call('ZREM', tenants, job.tenant)
    redis.call('ZREM', lane_key(lane, 'costs'), job.tenant)
  end
  local least = smallest(lane)
  if least then
    -- Whoever is not ahead would start at the smallest anyway.
    redis.call('ZREMRANGEBYSCORE', idle, '-inf', least)
  else
    -- Nobody waits, so nobody can be ahead of anybody.
    redis.call('DEL', idle)
    redis.call('HDEL', 'tessera:queue:cost', lane)
    redis.call('SREM', 'tessera:lanes', lane)
  end
end

local function charge(job)
  redis.call('ZINCRBY', lane_key(lane_of(job), 'tenants'), job.cost, job.tenant)
end
