#!lua flags=allow-oom
-- End jobs whose deadline has passed; their ids.

local now = now_us()
local due = redis.call('ZRANGEBYSCORE', 'tessera:deadlines', '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, job_id in ipairs(due) do
  stop(load_job(job_id), 'expired', now)
end
return due
