#!lua flags=allow-oom
-- Back to the queue, no failure and no crash counted: the worker drains.

local job, attempt = load_job(ARGV[1]), ARGV[2]
if ended_by(job, attempt, 'release') then
  return 'ok'
end
if not owns(job, attempt) then
  return 'lost'
end
local now = now_us()
set(job, 'ended_by', 'release:' .. attempt)
note_attempt(job, now, 'released')
requeue(job, now)
return 'ok'
