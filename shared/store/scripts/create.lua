#!lua
-- Accept a job: idempotency first, then limits, then everything at once.
-- Answers {'created', created_at, what goes before it, owed}, {'replayed', job_id}, {'mismatch'}, or a
-- refusal: with the cost that waits {'too_many', cost}, {'too_dear', cost}, {'full', cost}; with the
-- microseconds to wait and those owed {'too_fast', wait, owed}.

local job = {
  id = ARGV[1], tenant = ARGV[2], model = ARGV[3], priority = ARGV[4], cost = ARGV[5], attempts = 0,
}
local num_images, request, deadline, idempotency, fingerprint, webhook = unpack(ARGV, 6, 11)
local limit, interval, burst, traceparent = unpack(ARGV, 12, 15)
local FIRST_WARNING = 16
local now = now_us()

if idempotency ~= '' then
  local used = redis.call('GET', idempotency)
  if used then
    local known, owner = string.match(used, '^(.-):(.*)$')
    if known ~= fingerprint then
      return { 'mismatch' }
    end
    if owner ~= job.id then
      return { 'replayed', owner }
    end
  end
end

local known = load_job(job.id)
if known then
  local ahead = known.status == 'queued' and ahead_of(known) or {}
  return { 'created', known.created_at, ahead, whole(owed_us(limit, now)) }
end

local depth, cost, own_cost = 0, 0, 0
for _, lane in ipairs(redis.call('SMEMBERS', 'tessera:lanes')) do
  depth = depth + redis.call('ZCARD', lane_key(lane, 'waiting'))
  cost = cost + redis.call('HGET', 'tessera:queue:cost', lane)
  own_cost = own_cost + (redis.call('ZSCORE', lane_key(lane, 'costs'), job.tenant) or 0)
end
if redis.call('ZCARD', index_key(job, 'queued')) >= MAX_QUEUED_PER_TENANT then
  return { 'too_many', thousandths(own_cost) }
end
-- A single job is never too dear: its model's own limit has let it through.
if own_cost > 0 and own_cost + job.cost > MAX_QUEUED_COST_PER_TENANT then
  return { 'too_dear', thousandths(own_cost) }
end
if depth >= MAX_QUEUED then
  return { 'full', thousandths(cost) }
end
if limit ~= '' then
  local wait = wait_us(limit, now, job.cost, interval, burst)
  if wait > 0 then
    return { 'too_fast', whole(wait), whole(owed_us(limit, now)) }
  end
  use_up(limit, now, job.cost, interval)
end

job.created_at = whole(now)
set(job, 'tenant', job.tenant, 'model', job.model, 'priority', job.priority, 'cost', job.cost,
  'num_images', num_images, 'request', request, 'created_at', job.created_at,
  'attempts', 0, 'images', 0)
if webhook ~= '' then
  set(job, 'webhook', webhook)
end
if traceparent ~= '' then
  set(job, 'traceparent', traceparent)
end
if deadline ~= '' then
  redis.call('ZADD', 'tessera:deadlines', whole(now + deadline), job.id)
end
if idempotency ~= '' then
  redis.call('SET', idempotency, fingerprint .. ':' .. job.id, 'PX', IDEMPOTENCY_MS)
end
redis.call('ZADD', index_key(job, 'jobs'), 0, job.id)
enqueue(job)
move(job, 'queued')
warn(job, FIRST_WARNING)
return { 'created', job.created_at, ahead_of(job), whole(owed_us(limit, now)) }
