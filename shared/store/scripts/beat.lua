#!lua flags=allow-oom
-- Renew a worker's record and its leases: {whether the record is there, lost attempts, cancelled ones}.

local worker = ARGV[1]
local FIRST_PAIR = 2

local announced = redis.call('PEXPIRE', 'tessera:worker:' .. worker, WORKER_MS)
local until_us = whole(now_us() + LEASE)
local lost, cancelled = {}, {}
for i = FIRST_PAIR, #ARGV, 2 do
  local job, attempt = load_job(ARGV[i]), ARGV[i + 1]
  if owns(job, attempt) then
    redis.call('ZADD', 'tessera:leases', until_us, job.id)
  elseif job and job.attempt == attempt and (job.status == 'canceled' or job.status == 'expired') then
    table.insert(cancelled, attempt)
  else
    table.insert(lost, attempt)
  end
end
return { announced, lost, cancelled }
