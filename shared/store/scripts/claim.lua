#!lua flags=allow-oom
-- Choose a job and lend it to an attempt: {job_id, record}, or nothing.
--
-- The lane of the highest priority goes first, the one that waits longest among equals. Every
-- AGED_TURN-th choice goes to the lane that waits longest of all, if that is long enough: low lanes
-- never starve, and a backlog of them costs the high ones a known share.

local attempt, worker, floor = ARGV[1], ARGV[2], tonumber(ARGV[3])
local FIRST_MODEL = 4

local function oldest(lane)
  return tonumber(redis.call('ZRANGE', lane_key(lane, 'waiting'), 0, 0, 'WITHSCORES')[2])
end

local function choose_lane(now)
  local chosen, chosen_age, longest, longest_age
  for rank = 1, floor do
    local best, best_age
    for i = FIRST_MODEL, #ARGV do
      local lane = ARGV[i] .. ':' .. PRIORITIES[rank]
      local since = oldest(lane)
      if since and (not best or now - since > best_age) then
        best, best_age = lane, now - since
      end
    end
    if best and not chosen then
      chosen, chosen_age = best, best_age
    end
    if best and (not longest or best_age > longest_age) then
      longest, longest_age = best, best_age
    end
  end
  if longest == chosen or longest_age < AGEING then
    return chosen
  end
  return redis.call('INCR', 'tessera:queue:turn') % AGED_TURN == 0 and longest or chosen
end

local memory = 'tessera:claim:' .. attempt
local known = redis.call('GET', memory)
if known then
  if owns(load_job(known), attempt) then
    return { known, redis.call('HGETALL', record_key(known)) }
  end
  return false
end

local now = now_us()
local lane = choose_lane(now)
while lane do
  local tenant = redis.call('ZRANGE', lane_key(lane, 'tenants'), 0, 0)[1]
  local job = load_job(redis.call('ZRANGE', lane_key(lane, 'jobs:' .. tenant), 0, 0)[1])
  if overdue(job, now) then
    stop(job, 'expired', now)
    lane = choose_lane(now)
  else
    charge(job)
    dequeue(job)
    local first = redis.call('HSETNX', record_key(job.id), 'started_at', whole(now)) == 1
    set(job, 'attempt', attempt, 'worker', worker, 'claimed_at', whole(now))
    count(job, 'attempts')
    redis.call('ZADD', 'tessera:leases', whole(now + LEASE), job.id)
    redis.call('SET', memory, job.id, 'EX', CLAIM_MEMORY_SECONDS)
    move(job, 'running')
    if first then
      tell_webhook(job, 'started', now)
    end
    return { job.id, redis.call('HGETALL', record_key(job.id)) }
  end
end
return false
