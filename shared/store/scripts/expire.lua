#!lua flags=allow-oom
-- End those of the given jobs whose deadline has passed, each named with the progress last told:
-- {those that ended now, those that have expired now or before}.

local now, ended, expired = now_us(), {}, {}
for i = 1, #ARGV, 2 do
  local job = load_job(ARGV[i])
  if job and overdue(job, now) then
    keep_progress(job, ARGV[i + 1])
    stop(job, 'expired', now)
    table.insert(ended, job.id)
  end
  if job and job.status == 'expired' then
    table.insert(expired, job.id)
  end
end
return { ended, expired }
