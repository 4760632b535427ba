#!lua flags=no-writes
-- What goes before a queued job, or nothing where it does not wait: rows of {model, jobs, cost}.

local job = load_job(ARGV[1])
if not job or job.status ~= 'queued' then
  return false
end
return ahead_of(job)
