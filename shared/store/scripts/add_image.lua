#!lua flags=allow-oom
-- Tell a finished picture: from now on it is the job's, whatever becomes of the attempt.

local job, attempt, index, image = load_job(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
if not owns(job, attempt) then
  return 'lost'
end
if redis.call('HSETNX', record_key(job.id), 'image:' .. index, image) == 1 then
  count(job, 'images')
  emit(job, 'image', image)
end
return 'ok'
