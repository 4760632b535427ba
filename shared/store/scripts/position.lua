#!lua
-- About how many jobs go before this one: all of the model's higher lanes, and in its own lane, with
-- k of the tenant's jobs before it, up to k + 1 of every other tenant.

local SAMPLED = 100

local job = load_job(ARGV[1])
if not job or job.status ~= 'queued' then
  return false
end
local lane = lane_of(job)
local before = redis.call('ZRANK', lane_key(lane, 'jobs:' .. job.tenant), job.id)
local others = 0
local tenants = redis.call('ZRANGE', lane_key(lane, 'tenants'), 0, SAMPLED - 1)
for _, tenant in ipairs(tenants) do
  if tenant ~= job.tenant then
    others = others + math.min(redis.call('ZCARD', lane_key(lane, 'jobs:' .. tenant)), before + 1)
  end
end
others = others * redis.call('ZCARD', lane_key(lane, 'tenants')) / #tenants
local higher = 0
for _, priority in ipairs({ 'high', 'normal', 'low' }) do
  if priority == job.priority then
    break
  end
  higher = higher + redis.call('ZCARD', lane_key(job.model .. ':' .. priority, 'waiting'))
end
return math.floor(higher + before + others)
