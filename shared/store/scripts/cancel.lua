#!lua flags=allow-oom
-- End the job now, unless it has ended: its record, or nothing where there is none. The second
-- argument is the progress last told.

local job = load_job(ARGV[1])
if not job then
  return false
end
if not terminal(job) then
  keep_progress(job, ARGV[2])
  stop(job, 'canceled', now_us())
end
return redis.call('HGETALL', record_key(job.id))
