#!lua flags=allow-oom
-- The job has succeeded, all its pictures told; or it expires, if its deadline has passed.

local job, attempt, timing = load_job(ARGV[1]), ARGV[2], ARGV[3]
local FIRST_WARNING = 4
if ended_by(job, attempt, 'commit') then
  return 'ok'
end
if not owns(job, attempt) then
  return 'lost'
end
if job.images ~= job.num_images then
  return redis.error_reply('PICTURES a commit with ' .. job.images .. ' of ' .. job.num_images)
end
local now = now_us()
if overdue(job, now) then
  local steps = cjson.decode(redis.call('HGET', record_key(job.id), 'request')).steps
  keep_progress(job, '{"step":' .. steps .. ',"steps":' .. steps .. '}')
  stop(job, 'expired', now)
  return 'lost'
end
set(job, 'ended_by', 'commit:' .. attempt, 'timing', timing)
warn(job, FIRST_WARNING)
finish(job, 'succeeded', now)
return 'ok'
