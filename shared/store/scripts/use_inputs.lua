#!lua
-- Renew a tenant's inputs, for a job or (job id '') for one more look at them.
-- Answers a list: {width, height, bytes, expires_at} for each, or {} where there is none of that id.

local tenant, job_id = ARGV[1], ARGV[2]
local found = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local key = input_key(tenant, id)
  if redis.call('HEXISTS', key, 'stored') == 0 or input_leaves(tenant, id) then
    table.insert(found, {})
  else
    local facts = redis.call('HMGET', key, 'width', 'height', 'bytes')
    table.insert(facts, renew_input(tenant, id))
    table.insert(found, facts)
    if job_id ~= '' then
      redis.call('SADD', input_jobs_key(tenant, id), job_id)
    end
  end
end
return found
