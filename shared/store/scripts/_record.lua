-- A job's record: where it lies, the fields that decide, and Redis' own clock in microseconds.

local FIELDS = {
  'tenant', 'model', 'priority', 'cost', 'status', 'created_at', 'num_images', 'images',
  'attempts', 'attempt', 'worker', 'ended_by', 'webhook', 'traceparent',
}

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lua itself would write a time as 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end

-- Redis would cut a number's fraction off; a small picture's cost is less than one.
local function thousandths(number)
  return string.format('%.3f', number)
end

local function record_key(job_id)
  return 'tessera:job:' .. job_id
end

local function load_job(job_id)
  local values = redis.call('HMGET', record_key(job_id), unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local job = { id = job_id }
  for i, field in ipairs(FIELDS) do
    job[field] = values[i]
  end
  return job
end

local function set(job, ...)
  redis.call('HSET', record_key(job.id), ...)
end

local function count(job, field)
  job[field] = redis.call('HINCRBY', record_key(job.id), field, 1)
  return job[field]
end

local function terminal(job)
  return job.status ~= 'queued' and job.status ~= 'running'
end

local function overdue(job, now)
  local deadline = redis.call('ZSCORE', 'tessera:deadlines', job.id)
  return deadline and tonumber(deadline) <= now
end

local function owns(job, attempt)
  return job and job.status == 'running' and job.attempt == attempt
end

-- A transition that was sent twice: the record remembers which attempt last ended, and how.
local function ended_by(job, attempt, how)
  return job and job.ended_by == how .. ':' .. attempt
end
