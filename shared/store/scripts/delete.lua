#!lua flags=allow-oom
-- Hide a job from its tenant, ending it if need be, and make it due for removal; whether there was one.

local job = load_job(ARGV[1])
if not job or redis.call('HEXISTS', record_key(job.id), 'deleted') == 1 then
  return 0
end
local now = now_us()
if not terminal(job) then
  stop(job, 'canceled', now)
end
set(job, 'deleted', 1)
redis.call('ZREM', index_key(job, 'jobs'), job.id)
redis.call('ZREM', index_key(job, job.status), job.id)
redis.call('ZADD', 'tessera:expiry', whole(now), job.id)
return 1
