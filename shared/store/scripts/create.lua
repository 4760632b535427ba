#!lua
-- Accept a job: idempotency first, then limits, then everything at once.
-- Answers {'created', created_at}, {'replayed', job_id}, {'mismatch'}, {'quota'} or {'full'}.

local job = {
  id = ARGV[1], tenant = ARGV[2], model = ARGV[3], priority = ARGV[4], cost = ARGV[5], attempts = 0,
}
local num_images, request, deadline, idempotency, fingerprint, webhook = unpack(ARGV, 6, 11)
local FIRST_WARNING = 12

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

local created_at = redis.call('HGET', record_key(job.id), 'created_at')
if created_at then
  return { 'created', created_at }
end

if redis.call('ZCARD', index_key(job, 'queued')) >= MAX_QUEUED_PER_TENANT then
  return { 'quota' }
end
local depth = 0
for _, lane in ipairs(redis.call('SMEMBERS', 'tessera:lanes')) do
  depth = depth + redis.call('ZCARD', lane_key(lane, 'waiting'))
end
if depth >= MAX_QUEUED then
  return { 'full' }
end

local now = now_us()
job.created_at = whole(now)
set(job, 'tenant', job.tenant, 'model', job.model, 'priority', job.priority, 'cost', job.cost,
  'num_images', num_images, 'request', request, 'created_at', job.created_at,
  'attempts', 0, 'images', 0)
if webhook ~= '' then
  set(job, 'webhook', webhook)
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
return { 'created', job.created_at }
