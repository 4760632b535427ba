#!lua flags=allow-oom
-- End the job if its deadline has passed; whether it has expired, now or before.

local job, now = load_job(ARGV[1]), now_us()
if job and overdue(job, now) then
  stop(job, 'expired', now)
end
return job and job.status == 'expired' and 1 or 0
