#!lua flags=allow-oom
-- Take jobs back: a dead worker's at once, or else all whose lease ran out.
-- Answers {requeued, failed, lanes of the requeued}, the last two in step.
--
-- A run-out lease proves a death only if somebody watched all the time: after an outage or a stall of
-- Redis, or with the clock set back, every lease gets a fresh term and nothing is taken.

local worker, all_blamed, error, told = ARGV[1], ARGV[2] == '1', ARGV[3], cjson.decode(ARGV[4])
local FIRST_BLAMED = 5
local blamed = {}
for i = FIRST_BLAMED, #ARGV do
  blamed[ARGV[i]] = true
end

local now = now_us()
local requeued, failed, lanes = {}, {}, {}

local function take_back(job, how, poisonous)
  note_attempt(job, now, how)
  if poisonous then
    keep_progress(job, told[job.id])
    finish_failed(job, now, error)
    table.insert(failed, job.id)
  else
    requeue(job, now)
    table.insert(requeued, job.id)
    table.insert(lanes, lane_of(job))
  end
end

if worker ~= '' then
  for _, job_id in ipairs(redis.call('ZRANGE', 'tessera:leases', 0, -1)) do
    local job = load_job(job_id)
    if job.worker == worker then
      local guilty = all_blamed or blamed[job_id]
      local how = guilty and 'crashed' or 'interrupted'
      take_back(job, how, guilty and count(job, 'crashes') >= MAX_CRASHES)
    end
  end
  return { requeued, failed, lanes }
end

local last = tonumber(redis.call('GET', 'tessera:queue:reaped_at'))
redis.call('SET', 'tessera:queue:reaped_at', whole(now))
if not last or now < last or now - last > UNWATCHED then
  for _, job_id in ipairs(redis.call('ZRANGE', 'tessera:leases', 0, -1)) do
    redis.call('ZADD', 'tessera:leases', whole(now + LEASE), job_id)
  end
  return { requeued, failed, lanes }
end
for _, job_id in ipairs(redis.call('ZRANGEBYSCORE', 'tessera:leases', '-inf', whole(now))) do
  local job = load_job(job_id)
  take_back(job, 'host_lost', count(job, 'losses') >= MAX_LOSSES)
end
return { requeued, failed, lanes }
