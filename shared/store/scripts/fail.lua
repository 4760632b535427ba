#!lua flags=allow-oom
-- The attempt has failed: another one if that may help and failures are left, else the job fails.

local job, attempt, error, retryable, timing, told = load_job(ARGV[1]), unpack(ARGV, 2, 6)
if ended_by(job, attempt, 'fail') then
  return 'ok'
end
if not owns(job, attempt) then
  return 'lost'
end
local now = now_us()
set(job, 'ended_by', 'fail:' .. attempt)
note_attempt(job, now, 'failed', cjson.decode(error).code)
if count(job, 'failures') < MAX_FAILURES and retryable == '1' then
  requeue(job, now)
else
  set(job, 'timing', timing)
  keep_progress(job, told)
  finish_failed(job, now, error)
end
return 'ok'
