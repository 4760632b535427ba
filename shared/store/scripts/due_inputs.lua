#!lua flags=allow-oom
-- Inputs whose time is over and that no living job uses: from here on nobody can use them.
-- Others get one more term. Answers "tenant/id" for each.

local due = redis.call('ZRANGEBYSCORE', INPUTS, '-inf', whole(now_us()), 'LIMIT', 0, ARGV[1])
local leaving = {}
for _, member in ipairs(due) do
  local tenant, id = string.match(member, '^(.*)/(.-)$')
  local jobs = input_jobs_key(tenant, id)
  local used = false
  for _, job_id in ipairs(redis.call('SMEMBERS', jobs)) do
    local job = load_job(job_id)
    if job and not terminal(job) then
      used = true
    else
      redis.call('SREM', jobs, job_id)
    end
  end
  if used then
    renew_input(tenant, id)
  else
    redis.call('HSET', input_key(tenant, id), 'leaving', 1)
    table.insert(leaving, member)
  end
end
return leaving
